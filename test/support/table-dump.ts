import { TableClient, TableServiceClient } from '@azure/data-tables';
import type { Platform } from '../../src/local/platform/index.ts';

/**
 * Every row of every table, ETags and times of change included, as one line of text each: two dumps are equal only if
 * nothing at all was written between them.
 */
export async function dumpTables({ tables, developer }: Platform): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name = '' } of new TableServiceClient(tables, developer.credential).listTables()) {
    for await (const entity of new TableClient(tables, name, developer.credential).listEntities()) {
      lines.push(`${name} ${JSON.stringify(entity)}`);
    }
  }
  return lines.sort();
}
