import { join } from 'node:path';
import { TableClient, type TransactionAction } from '@azure/data-tables';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { Benchmark, Figure } from '../harness/benchmark.ts';
import { startChild } from '../harness/child.ts';
import { figure, ratio } from '../harness/figures.ts';
import { printErrors } from '../harness/host-log.ts';
import { interleave } from '../harness/interleave.ts';
import { quantile } from '../harness/statistics.ts';
import { createVaultClient } from '../harness/vault-client.ts';
import { load, type Load } from './load.ts';

const rounds = 8;
const loads = [
  { clients: 1, requests: 60 },
  { clients: 32, requests: 256 },
];
const mount = 'measured';
const secret = { username: 'svc-orders', password: 'p'.repeat(64), connection: 'c'.repeat(400) };

type Request = (client: number) => Promise<unknown>;
const operations = ['read', 'write'] as const;
const subjects = ['kv', 'table', 'plain'] as const;
type Subject = (typeof subjects)[number];

/** What is left of the table's speed, and of a plain server's, when secrets are read and written through the service. */
export const keyValue: Benchmark = {
  name: 'kv',
  measures: 'secrets read and written through the host, against the raw table operation and a plain HTTP server',
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({ seed: seedRootToken });
    stack.defer(() => platform.stop());
    const host = await platform.startHost({
      log: printErrors,
      settings: { ...platform.settings, KEYFLEET_REQUESTS_PER_SECOND: '100000' },
    });
    const client = createVaultClient(host.url, platform.rootToken);
    await client.call('POST', `sys/mounts/${mount}`, { type: 'kv-v2' });
    const answer = JSON.stringify({ data: await client.call('POST', `${mount}/data/answer`, { data: secret }) });
    const { started: plainUrl, ...child } = await startChild<string>(join(import.meta.dirname, 'plain-server.ts'), [
      answer,
    ]);
    stack.defer(() => child.stop());
    const plain = createVaultClient(plainUrl, platform.rootToken);
    const table = await openRows(
      platform,
      (await client.call('GET', 'sys/mounts')) as Record<string, { uuid: string }>,
    );

    const requests: Record<(typeof operations)[number], Record<Subject, Request>> = {
      read: {
        kv: (index) => client.call('GET', `${mount}/data/secret-${index}`),
        table: table.read,
        plain: (index) => plain.call('GET', `${mount}/data/secret-${index}`),
      },
      write: {
        kv: (index) => client.call('POST', `${mount}/data/secret-${index}`, { data: secret }),
        table: table.write,
        plain: (index) => plain.call('POST', `${mount}/data/secret-${index}`, { data: secret }),
      },
    };
    // Each client has a secret of its own, with as many versions as are kept.
    for (let version = 0; version < 10; version++) await load(32, 32, requests.write.kv);
    for (const { kv, table: raw, plain: server } of Object.values(requests)) {
      for (const request of [kv, raw, server]) await load(100, 32, request);
    }
    progress('warmed up');

    const figures: Figure[] = [];
    for (const operation of operations) {
      const { kv, table: raw, plain: server } = requests[operation];
      for (const { clients, requests: count } of loads) {
        const loaded = await interleave(rounds, {
          kv: () => load(count, clients, kv),
          table: () => load(count, clients, raw),
          plain: () => load(count, clients, server),
        });
        progress(`${operation}, ${clients} at once, ${rounds} rounds`);
        figures.push(...describe(`${operation}, ${clients} at once`, loaded));
      }
    }
    return figures;
  },
};

function describe(name: string, loaded: Record<Subject, readonly Load[]>): Figure[] {
  const rates = (subject: Subject) => loaded[subject].map(({ perSecond }) => perSecond);
  const times = (subject: Subject, fraction: number) =>
    loaded[subject].map(({ milliseconds }) => quantile(milliseconds, fraction));
  return [
    ratio(`${name}: throughput, host / raw table`, rates('kv'), rates('table')),
    ratio(`${name}: throughput, host / plain server`, rates('kv'), rates('plain')),
    ...subjects.map((subject) => figure(`${name}: ${subjectNames[subject]}`, 'per second', rates(subject))),
    ...([0.5, 0.99] as const).flatMap((fraction) =>
      subjects.map((subject) =>
        figure(`${name}: p${fraction * 100}, ${subjectNames[subject]}`, 'ms', times(subject, fraction)),
      ),
    ),
  ];
}

const subjectNames: Record<Subject, string> = { kv: 'host', table: 'raw table', plain: 'plain server' };

/** The same rows as the service's, read and written by their client with nothing in between. */
async function openRows(
  platform: Platform,
  mounts: Record<string, { uuid: string }>,
): Promise<{ read: Request; write: Request }> {
  const source = new TableClient(platform.tables, 'secrets', platform.developer.credential);
  const partition = `secret|${mounts[`${mount}/`]?.uuid ?? ''}|answer`;
  const head = ownProperties(await source.getEntity(partition, 'head'));
  const value = ownProperties(await source.getEntity(partition, 'value|0000000001'));
  const table = new TableClient(platform.tables, 'raw', platform.developer.credential);
  await table.createTable();
  const written = new Map<number, number>();

  const write: Request = async (client) => {
    const version = (written.get(client) ?? 0) + 1;
    written.set(client, version);
    const keys = { partitionKey: `raw-${client}` };
    const actions: TransactionAction[] = [
      ['upsert', { ...head, ...keys, rowKey: 'head' }, 'Replace'],
      ['upsert', { ...value, ...keys, rowKey: `value|${version}` }, 'Replace'],
    ];
    if (version > 10) actions.push(['delete', { ...keys, rowKey: `value|${version - 10}` }]);
    await table.submitTransaction(actions);
  };
  for (let client = 0; client < 32; client++) await write(client);
  return { write, read: (client) => table.getEntity(`raw-${client}`, 'head') };
}

function ownProperties(entity: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(entity).filter(
      ([name]) => !['etag', 'timestamp', 'partitionKey', 'rowKey'].includes(name) && !name.startsWith('odata'),
    ),
  );
}
