import { readFile } from 'node:fs/promises';
import { messageOf } from '../command.ts';
import type { AzureDescription } from './description.ts';
import { DescriptionError } from './description.ts';

/**
 * @returns what a file holds; whether it is a description is yet to be seen
 * @throws DescriptionError if it can't be read, or isn't JSON
 */
export async function readDescription(file: string): Promise<AzureDescription> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as AzureDescription;
  } catch (error) {
    const reason = error instanceof SyntaxError ? `it isn't JSON: ${error.message}` : messageOf(error);
    throw new DescriptionError(reason);
  }
}
