import { odata, TableClient } from '@azure/data-tables';
import { startPlatform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { firstMaterialRow, keyPartition, keyRow } from '../../src/state/key-rows.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { printErrors } from '../harness/host-log.ts';
import { interleave } from '../harness/interleave.ts';
import { quantile } from '../harness/statistics.ts';
import { createVaultClient } from '../harness/vault-client.ts';

const warmUpReads = 100;
const rounds = 10;
const readsPerRound = 100;
const keyName = 'measured';

type Read = () => Promise<unknown>;

/** What reading a key through the whole service costs, beside what it costs to read its rows. */
export const readLatency: Benchmark = {
  name: 'read-latency',
  measures: 'GET of a key through the host, against raw reads of the same table',
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({ seed: seedRootToken });
    stack.defer(() => platform.stop());
    const host = await platform.startHost({ log: printErrors });
    const client = createVaultClient(host.url, platform.rootToken);
    await client.call('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
    await client.call('POST', `keymgmt/key/${keyName}`, { type: 'rsa-2048' });
    const mounts = (await client.call('GET', 'sys/mounts')) as Record<string, { uuid: string }>;

    const table = new TableClient(platform.tables, 'keys', platform.developer.credential);
    const partition = keyPartition({ mount: mounts['keymgmt/']?.uuid ?? '', key: keyName });
    const filter = odata`PartitionKey eq ${partition} and RowKey lt ${firstMaterialRow}`;
    const reads = {
      host: () => client.call('GET', `keymgmt/key/${keyName}`),
      point: () => table.getEntity(partition, keyRow),
      query: () => Array.fromAsync(table.listEntities({ queryOptions: { filter } })),
    };
    if ((await reads.query()).length === 0) throw new Error('the raw query finds no row of the key');

    for (let count = 0; count < warmUpReads; count++) for (const read of Object.values(reads)) await read();
    progress(`${warmUpReads} reads of each kind to warm up`);
    const times: Record<keyof typeof reads, number[][]> = { host: [], point: [], query: [] };
    for (let round = 0; round < rounds; round++) {
      const taken = await interleave(readsPerRound, {
        host: () => time(reads.host),
        point: () => time(reads.point),
        query: () => time(reads.query),
      });
      times.host.push(taken.host);
      times.point.push(taken.point);
      times.query.push(taken.query);
      progress(`round ${round + 1} of ${rounds}, ${readsPerRound} reads of each kind`);
    }

    const at = (fraction: number, kind: keyof typeof reads) => times[kind].map((round) => quantile(round, fraction));
    return [
      ratio('p50, host / partition query', at(0.5, 'host'), at(0.5, 'query')),
      ratio('p50, host / point read', at(0.5, 'host'), at(0.5, 'point')),
      ratio('p99, host / partition query', at(0.99, 'host'), at(0.99, 'query')),
      ratio('p99, host / point read', at(0.99, 'host'), at(0.99, 'point')),
      figure('p50, host', 'ms', at(0.5, 'host')),
      figure('p50, partition query', 'ms', at(0.5, 'query')),
      figure('p50, point read', 'ms', at(0.5, 'point')),
      figure('p99, host', 'ms', at(0.99, 'host')),
      figure('p99, partition query', 'ms', at(0.99, 'query')),
      figure('p99, point read', 'ms', at(0.99, 'point')),
    ];
  },
};

async function time(read: Read): Promise<number> {
  const startTime = performance.now();
  await read();
  return performance.now() - startTime;
}
