import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { LocalFile } from '../start/local-file.ts';
import { CannotStart } from './cannot-start.ts';

const localFile = z.object({
  api: z.url(),
  token: z.string().min(1),
  vaults: z.record(z.string(), z.url()),
  caFile: z.string().min(1),
  identityEndpoint: z.url(),
  identityHeader: z.string().min(1),
  serviceBus: z.string(),
  tables: z.string(),
}) satisfies z.ZodType<LocalFile>;

const patienceMilliseconds = 10_000;

/**
 * Finds the service that `npm start` runs.
 * @returns what it wrote about itself to the file at `path`
 * @throws CannotStart if it isn't running
 */
export async function findLocalService(path: string): Promise<LocalFile> {
  const found = await readLocalFile(path);
  try {
    await fetch(`${found.api}/v1/sys/seal-status`, { signal: AbortSignal.timeout(patienceMilliseconds) });
  } catch (error) {
    throw new CannotStart(
      `${path} says that the service is at ${found.api}, but nothing answers there: start it with npm start, in a terminal of its own.`,
      { cause: error },
    );
  }
  return found;
}

async function readLocalFile(path: string): Promise<LocalFile> {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CannotStart(
      `The service isn't running: there is no ${path}, which it writes. Start it with npm start, in a terminal of its own.`,
      { cause: error },
    );
  }
  try {
    return localFile.parse(JSON.parse(text));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new CannotStart(`${path} isn't what npm start writes:\n${reason}`, { cause: error });
  }
}
