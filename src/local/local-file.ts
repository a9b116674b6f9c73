import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes `content` to `path` as JSON, readable by its owner alone: it holds secrets of what runs here.
 * @returns removes the file, unless another process has written its own since
 */
export async function writeLocalFile(path: string, content: object): Promise<() => Promise<void>> {
  const text = `${JSON.stringify(content, null, 2)}\n`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // The mode of a file that exists already would stay as it is.
  await rm(path, { force: true });
  await writeFile(path, text, { mode: 0o600 });
  return async () => {
    const current = await readFile(path, 'utf8').catch(() => undefined);
    if (current === text) await rm(path, { force: true });
  };
}
