import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonWebKey } from '@azure/keyvault-keys';
import { trustInThisProcess } from '../../src/local/certificates.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { startChild } from '../harness/child.ts';
import { figure, ratio } from '../harness/figures.ts';
import { interleave } from '../harness/interleave.ts';
import { openKeyClient, openServiceBusClient, queueName, type StandInAddresses } from '../harness/stand-in-clients.ts';
import { median } from '../harness/statistics.ts';
import { vaultName, type Memory } from './server.ts';
import { createSnapshot, keyNameOf } from './snapshot.ts';

const few = 100;
const many = 100_000;
const rounds = 10;
const operationsPerRound = 40;
const mostMemoryMiB = 1536;
const mostTimes = 2;
const bodyBytes = 200;

type Operation = 'get' | 'import' | 'list' | 'message';
const operations: readonly Operation[] = ['get', 'import', 'list', 'message'];
const said: Record<Operation, string> = {
  get: 'getKey',
  import: 'importKey',
  list: 'first page of keys',
  message: 'send, receive, complete',
};

/** What many keys and messages cost a process of stand-ins, in memory and in time for one operation. */
export const standInScale: Benchmark = {
  name: 'stand-in-scale',
  measures: `${many} keys and ${many} messages in one process of stand-ins, against ${few}`,
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'keyfleet-bench-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const small = await start(stack, folder, few);
    const large = await start(stack, folder, many);
    progress('keys and messages are there');

    for (const size of [small, large]) await size.measure(operationsPerRound);
    const times = await interleave(
      rounds,
      { small: () => small.measure(operationsPerRound), large: () => large.measure(operationsPerRound) },
      progress,
    );
    const memory = await large.memory();
    if (memory.messages !== many) throw new Error(`there are ${memory.messages} messages, not ${many}`);
    const of = (size: 'small' | 'large', operation: Operation) => times[size].map((round) => round[operation]);
    return [
      figure('most memory with many', 'MiB', [memory.highest], { atMost: mostMemoryMiB, parts: { now: memory.now } }),
      ...operations.flatMap((operation) => [
        ratio(`p50, ${said[operation]}, many / few`, of('large', operation), of('small', operation), {
          atMost: mostTimes,
        }),
        figure(`p50, ${said[operation]}, many`, 'ms', of('large', operation)),
      ]),
    ];
  },
};

async function start(stack: AsyncDisposableStack, folder: string, count: number) {
  const snapshotFile = join(folder, `${count}.bin`);
  await writeFile(snapshotFile, createSnapshot(vaultName, count));
  const child = await startChild<StandInAddresses>(join(import.meta.dirname, 'server.ts'), [snapshotFile]);
  stack.defer(() => child.stop());
  trustInThisProcess(child.started.caCertificate);
  const keys = openKeyClient(child.started.keyVaultUrl);
  const messages = openServiceBusClient(child.started.serviceBus);
  stack.defer(() => messages.close());
  const sender = messages.createSender(queueName);
  const receiver = messages.createReceiver(queueName);
  const body = 'm'.repeat(bodyBytes);
  await fill(sender, count, body);

  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const material = Object.fromEntries(
    Object.entries(jwk).map(([name, value]) => [
      name,
      name.length === 1 ? Buffer.from(String(value), 'base64url') : value,
    ]),
  ) as JsonWebKey;
  let imported = 0;
  const run: Record<Operation, () => Promise<unknown>> = {
    get: () => keys.getKey(keyNameOf(Math.floor(Math.random() * count))),
    import: () => keys.importKey(`imported-${imported++}`, material),
    list: () => keys.listPropertiesOfKeys().byPage().next(),
    async message() {
      await sender.sendMessages({ body });
      const [message] = await receiver.receiveMessages(1);
      if (!message) throw new Error('a message that was sent did not come');
      await receiver.completeMessage(message);
    },
  };
  return {
    memory: () => child.ask<Memory>('memory'),
    /** @returns p50 of each operation, in milliseconds */
    async measure(times: number): Promise<Record<Operation, number>> {
      const medians = {} as Record<Operation, number>;
      for (const operation of operations) {
        const taken: number[] = [];
        for (let time = 0; time < times; time++) {
          const startTime = performance.now();
          await run[operation]();
          taken.push(performance.now() - startTime);
        }
        medians[operation] = median(taken);
      }
      return medians;
    },
  };
}

type Sender = ReturnType<ReturnType<typeof openServiceBusClient>['createSender']>;

async function fill(sender: Sender, count: number, body: string): Promise<void> {
  for (let sent = 0; sent < count;) {
    const batch = await sender.createMessageBatch();
    while (sent + batch.count < count && batch.tryAddMessage({ body }));
    await sender.sendMessages(batch);
    sent += batch.count;
  }
}
