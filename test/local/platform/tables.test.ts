import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { odata, TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Certificates } from '../../../src/local/certificates.ts';
import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';
import type { EntraStandIn } from '../../../src/local/entra/index.ts';
import { startEntra } from '../../../src/local/entra/index.ts';
import { createFaults } from '../../../src/local/faults.ts';
import { startTables } from '../../../src/local/tables.ts';

const principal = { tenantId: 'cd4bf224-d114-4f96-9bbc-b8f45751c43f', objectId: 'object', clientId: 'client' };
let tls: Certificates;
let entra: EntraStandIn;
let directory: string;

beforeAll(async () => {
  tls = await createCertificates();
  trustInThisProcess(tls.caCertificate);
  directory = await mkdtemp(join(tmpdir(), 'keyfleet-tables-'));
  entra = await startEntra({
    tenants: [principal.tenantId],
    applications: [],
    managedIdentities: [],
    resources: [{ audience: 'https://vault.localhost', tokenVersion: 1 }],
    tls,
    faults: createFaults(),
    now: () => new Date(),
  });
});

afterAll(async () => {
  await entra.stop();
  await rm(directory, { recursive: true });
});

function tableClient(url: string, audience?: string): TableClient {
  const credential = {
    getToken: async (scopes: string | string[]) => ({
      token: await entra.issueToken(principal, audience ?? String(scopes).replace('/.default', '')),
      expiresOnTimestamp: Date.now() + 3_600_000,
    }),
  };
  return new TableClient(url, 'keys', credential, { retryOptions: { maxRetries: 0 } });
}

describe('startTables', () => {
  it('finds the rows of a range of one partition, whatever its name, and no others', async () => {
    const tables = await startTables({ tls });
    try {
      const client = tableClient(tables.url);
      await client.createTable();
      const partitions = ['1', '01', '1e0', "it's", "' or PartitionKey ne '", 'p', 'P', 'é', 'p q'];
      const rows = ['', '0', '00', '1', '10', "a'b", 'a', 'b', 'B', 'ü'];
      const all = partitions.flatMap((partitionKey) => rows.map((rowKey) => ({ partitionKey, rowKey })));
      for (const entity of all) await client.createEntity(entity);
      const rowsOf = async (filter: string, maxPageSize: number) => {
        const found: { partitionKey?: string | undefined; rowKey?: string | undefined }[] = [];
        for await (const page of client.listEntities({ queryOptions: { filter } }).byPage({ maxPageSize })) {
          found.push(...page.map(({ partitionKey, rowKey }) => ({ partitionKey, rowKey })));
        }
        return found;
      };
      const sorted = (entities: typeof all) =>
        entities.toSorted((one, other) => (one.rowKey < other.rowKey ? -1 : Number(one.rowKey > other.rowKey)));

      for (const partition of partitions) {
        const inPartition = sorted(all.filter(({ partitionKey }) => partitionKey === partition));
        expect(await rowsOf(odata`PartitionKey eq ${partition}`, 1000)).toEqual(inPartition);
        expect(await rowsOf(odata`PartitionKey eq ${partition}`, 3)).toEqual(inPartition);
        const [from, before] = ['00', "a'b"];
        expect(
          await rowsOf(odata`PartitionKey eq ${partition} and RowKey ge ${from} and RowKey lt ${before}`, 2),
        ).toEqual(inPartition.filter(({ rowKey }) => rowKey >= from && rowKey < before));
        expect(await rowsOf(odata`PartitionKey eq ${partition} and RowKey lt ${before}`, 4)).toEqual(
          inPartition.filter(({ rowKey }) => rowKey < before),
        );
      }
      const either = await rowsOf("PartitionKey eq 'p' or PartitionKey eq 'P'", 1000);
      expect(either).toHaveLength(2 * rows.length);
      expect(await rowsOf("PartitionKey eq 'p' and RowKey ne 'a'", 1000)).toHaveLength(rows.length - 1);
    } finally {
      await tables.stop();
    }
  });

  it('takes a token client over TLS and guards entities by their ETag', async () => {
    const tables = await startTables({ tls });
    try {
      const client = tableClient(tables.url);
      await client.createTable();
      await client.createEntity({ partitionKey: 'p', rowKey: 'r', value: 1 });
      const { etag } = await client.getEntity('p', 'r');
      await client.updateEntity({ partitionKey: 'p', rowKey: 'r', value: 2 }, 'Replace', { etag });
      await expect(
        client.updateEntity({ partitionKey: 'p', rowKey: 'r', value: 3 }, 'Replace', { etag }),
      ).rejects.toMatchObject({ statusCode: 412 });
      expect(await client.getEntity('p', 'r')).toMatchObject({ value: 2 });
    } finally {
      await tables.stop();
    }
  });

  it('refuses a token for something else', async () => {
    const tables = await startTables({ tls });
    try {
      await expect(tableClient(tables.url, 'https://vault.localhost').createTable()).rejects.toMatchObject({
        statusCode: 403,
      });
    } finally {
      await tables.stop();
    }
  });

  it('keeps entities in a directory across a restart', async () => {
    const first = await startTables({ tls, directory });
    const client = tableClient(first.url);
    await client.createTable();
    await client.createEntity({ partitionKey: 'p', rowKey: 'one', value: 'flushed' });
    await first.flush();
    expect(await readFile(join(directory, 'tables.json'), 'utf8')).toContain('flushed');
    await client.createEntity({ partitionKey: 'p', rowKey: 'two', value: 'unflushed' });
    await first.stop();

    const second = await startTables({ tls, directory });
    try {
      const rows = [];
      for await (const entity of tableClient(second.url).listEntities()) rows.push(entity.rowKey);
      expect(rows).toEqual(['one', 'two']);
    } finally {
      await second.stop();
    }
  });

  it('says that a port is taken', async () => {
    const tables = await startTables({ tls });
    try {
      const port = Number(new URL(tables.url).port);
      await expect(startTables({ tls, port })).rejects.toThrow(`127.0.0.1:${port}`);
    } finally {
      await tables.stop();
    }
  });
});
