import { glob, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface PackageJson {
  main?: string;
  type?: string;
}

/**
 * Imports what `main` of the app's package.json names (a file or a pattern), each file in the form its name and the
 * package's `type` say.
 * @param directory the app's root, absolute
 * @throws what an entry file throws, or an Error when nothing matches
 */
export async function loadApp(directory: string): Promise<void> {
  const packageJson = JSON.parse(await readFile(path.join(directory, 'package.json'), 'utf8')) as PackageJson;
  if (!packageJson.main) return;
  const files = (await Array.fromAsync(glob(packageJson.main, { cwd: directory }))).sort();
  if (files.length === 0) throw new Error(`Found zero files matching the supplied pattern "${packageJson.main}"`);
  for (const file of files) await loadFile(path.join(directory, file), packageJson);
}

async function loadFile(file: string, packageJson: PackageJson): Promise<void> {
  const isModule = file.endsWith('.mjs') || (packageJson.type === 'module' && !file.endsWith('.cjs'));
  if (isModule) await import(pathToFileURL(file).href);
  else createRequire(file)(file);
}
