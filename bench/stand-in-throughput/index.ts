import { join } from 'node:path';
import type { KeyClient } from '@azure/keyvault-keys';
import { trustInThisProcess } from '../../src/local/certificates.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { startChild } from '../harness/child.ts';
import { figure, ratio } from '../harness/figures.ts';
import { interleave } from '../harness/interleave.ts';
import { openKeyClient, openServiceBusClient, queueName } from '../harness/stand-in-clients.ts';
import { openEchoClient } from './echo-client.ts';
import type { ThroughputAddresses } from './server.ts';

const rounds = 8;
const requestsPerRound = 600;
const messagesPerRound = 1500;
const atOnce = 32;
const body = 'm'.repeat(200);

/** How much of what a plain server could carry is left after the stand-ins' own work. */
export const standInThroughput: Benchmark = {
  name: 'stand-in-throughput',
  measures: 'vault and broker through the real clients, against plain servers of the same protocols',
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const { started, ...child } = await startChild<ThroughputAddresses>(join(import.meta.dirname, 'server.ts'), []);
    stack.defer(() => child.stop());
    trustInThisProcess(started.caCertificate);
    const vault = openKeyClient(started.keyVaultUrl);
    const plain = openKeyClient(started.plainUrl);
    await vault.createKey('measured', 'RSA', { keySize: 2048 });
    const messages = openServiceBusClient(started.serviceBus);
    stack.defer(() => messages.close());
    const echo = await openEchoClient(started.echoPort, body);
    stack.defer(() => echo.close());

    const variants = {
      vault: () => rate(requestsPerRound, () => getKeys(vault)),
      plain: () => rate(requestsPerRound, () => getKeys(plain)),
      broker: () => rate(messagesPerRound, () => passMessages(messages)),
      echo: () => rate(messagesPerRound, () => echo.exchange(messagesPerRound, atOnce)),
    };
    for (const variant of Object.values(variants)) await variant();
    progress('warmed up');
    const rates = await interleave(rounds, variants, progress);
    return [
      ratio('getKey, vault / plain HTTPS server', rates.vault, rates.plain),
      figure('getKey, vault', 'per second', rates.vault),
      figure('getKey, plain HTTPS server', 'per second', rates.plain),
      ratio('messages, broker / plain echo', rates.broker, rates.echo),
      figure('messages sent, received, completed, broker', 'per second', rates.broker),
      figure('messages sent and sent back, plain echo', 'per second', rates.echo),
    ];
  },
};

async function rate(count: number, run: () => Promise<void>): Promise<number> {
  const startTime = performance.now();
  await run();
  return count / ((performance.now() - startTime) / 1000);
}

async function getKeys(client: KeyClient): Promise<void> {
  let left = requestsPerRound;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await client.getKey('measured');
    }),
  );
}

/** Sends and receives at once, as many on their way as there are for the echo. */
async function passMessages(client: ReturnType<typeof openServiceBusClient>): Promise<void> {
  const sender = client.createSender(queueName);
  const receiver = client.createReceiver(queueName);
  const done = Promise.withResolvers<void>();
  let received = 0;
  receiver.subscribe(
    {
      processMessage: async () => {
        if (++received === messagesPerRound) done.resolve();
      },
      processError: async ({ error }) => done.reject(error),
    },
    { maxConcurrentCalls: atOnce },
  );
  let left = messagesPerRound;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await sender.sendMessages({ body });
    }),
  );
  await done.promise;
  await receiver.close();
  await sender.close();
}
