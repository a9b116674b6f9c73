import { TableClient } from '@azure/data-tables';
import type { Platform } from '../../src/local/platform/index.ts';

/**
 * Has the next host begin as if the ones before had stopped long ago: for some seconds they keep their part of what the
 * vaults' limits allow.
 */
export async function forgetInstances({ tables, developer }: Platform): Promise<void> {
  const table = new TableClient(tables, 'instances', developer.credential);
  // The first instance that calls a vault makes it.
  await table.createTable();
  for await (const { partitionKey = '', rowKey = '' } of table.listEntities()) {
    await table.deleteEntity(partitionKey, rowKey);
  }
}
