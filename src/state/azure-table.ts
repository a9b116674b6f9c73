import type { TokenCredential } from '@azure/core-auth';
import { odata, TableClient, TableTransaction, type TableEntityResult } from '@azure/data-tables';
import { KeyfleetError } from '../errors.ts';
import type { Action, Entity, Properties, PropertyValue, RowRange, Table, TableOptions } from './table.ts';

export interface AzureTableOptions extends TableOptions {
  /** The account's table endpoint. */
  endpoint: string;
  credential: TokenCredential;
  name: string;
}

const mostRowsInPage = 1000;

/** A table in Table Storage, made at its first use if it doesn't exist. */
export function createAzureTable({ endpoint, credential, name, onlyOnce = false }: AzureTableOptions): Table {
  const client = new TableClient(endpoint, name, credential, onlyOnce ? { retryOptions: { maxRetries: 0 } } : {});
  let created: Promise<void> | undefined;

  /** Creating an existing table is not an error to the client; a failed attempt is forgotten and made again. */
  function ready(): Promise<void> {
    created ??= client.createTable().catch((error: unknown) => {
      created = undefined;
      throw error;
    });
    return created;
  }

  async function call<T>(operation: string, run: () => Promise<T>): Promise<T> {
    try {
      await ready();
      return await run();
    } catch (error) {
      if (error instanceof KeyfleetError) throw error;
      throw new KeyfleetError(
        'unavailable',
        `Keyfleet's state can't be ${operation} now: Table Storage gave no good answer`,
        {
          cause: error,
        },
      );
    }
  }

  async function find(partition: string, range: RowRange, select?: string[]): Promise<Entity[]> {
    const filters = [odata`PartitionKey eq ${partition}`];
    if (range.from !== undefined) filters.push(odata`RowKey ge ${range.from}`);
    if (range.before !== undefined) filters.push(odata`RowKey lt ${range.before}`);
    const { atMost = Infinity } = range;
    const entities: Entity[] = [];
    const queryOptions = { filter: filters.join(' and '), ...(select && { select }) };
    for await (const page of client.listEntities({ queryOptions }).byPage({
      maxPageSize: Math.min(atMost, mostRowsInPage),
    })) {
      entities.push(...page.map(toEntity));
      if (entities.length >= atMost) break;
    }
    return entities.slice(0, atMost);
  }

  return {
    get: (partition, row) =>
      call('read', async () => {
        try {
          return toEntity(await client.getEntity(partition, row));
        } catch (error) {
          if (statusOf(error) === 404) return undefined;
          throw error;
        }
      }),

    query: (partition, range = {}) => call('read', () => find(partition, range)),

    queryRows: (partition, range = {}) =>
      call('read', async () => (await find(partition, range, ['PartitionKey', 'RowKey'])).map(({ row }) => row)),

    transact: (partition, actions) =>
      call('changed', async () => {
        try {
          await client.submitTransaction(toTransaction(partition, actions).actions);
          return true;
        } catch (error) {
          if (isRefused(error)) return false;
          throw error;
        }
      }),

    remove: (partition, row, etag) =>
      call('changed', async () => {
        try {
          await client.deleteEntity(partition, row, { etag });
          return true;
        } catch (error) {
          if (isRefused(error)) return false;
          throw error;
        }
      }),
  };
}

function toTransaction(partition: string, actions: readonly Action[]): TableTransaction {
  const transaction = new TableTransaction();
  for (const action of actions) {
    const keys = { partitionKey: partition, rowKey: action.row };
    switch (action.kind) {
      case 'insert':
        transaction.createEntity({ ...action.properties, ...keys });
        break;
      case 'replace':
        transaction.updateEntity({ ...action.properties, ...keys }, 'Replace', { etag: action.etag });
        break;
      case 'touch':
        transaction.updateEntity(keys, 'Merge', { etag: '*' });
        break;
      case 'upsert':
        transaction.upsertEntity({ ...action.properties, ...keys }, 'Replace');
        break;
      case 'remove':
        transaction.deleteEntity(partition, action.row);
        break;
    }
  }
  return transaction;
}

function toEntity(result: TableEntityResult<Record<string, unknown>>): Entity {
  const properties: Properties = {};
  for (const [name, value] of Object.entries(result)) {
    if (isOwnProperty(name) && value !== undefined && value !== null) properties[name] = value as PropertyValue;
  }
  return { row: result.rowKey ?? '', etag: result.etag, properties };
}

function isOwnProperty(name: string): boolean {
  return !['partitionKey', 'rowKey', 'etag', 'timestamp'].includes(name) && !name.startsWith('odata.');
}

/** Exists already (409), changed since it was read (412), or gone (404): each means "read again and decide again". */
function isRefused(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || status === 409 || status === 412;
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}
