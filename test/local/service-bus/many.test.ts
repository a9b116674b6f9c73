import { expect, it } from 'vitest';
import { receiveOne, startBus, until } from './harness.ts';

const count = process.env['KEYFLEET_TEST_LONG'] === undefined ? 10_000 : 100_000;

it(
  `${count} queued messages are worked off by a subscription, each once, with one held all the while`,
  { timeout: 120_000 },
  async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 300 }] });
    const client = bus.client({ retryOptions: { timeoutInMs: 60_000, maxRetries: 0 } });
    const sender = client.createSender('q');
    for (let sent = 0; sent < count;) {
      const batch = await sender.createMessageBatch();
      while (sent < count && batch.tryAddMessage({ body: sent })) sent++;
      await sender.sendMessages(batch);
    }
    expect(bus.broker.queue('q').active).toBe(count);
    const holding = client.createReceiver('q');
    const held = await receiveOne(holding);
    const seen = new Set<unknown>();
    client.createReceiver('q').subscribe(
      {
        processMessage: async ({ body }) => void seen.add(body),
        processError: async () => undefined,
      },
      { maxConcurrentCalls: 50 },
    );
    await until(() => bus.broker.queue('q').active === 1, 'all but one to be completed', 100_000);
    expect(seen.size).toBe(count - 1);
    await holding.completeMessage(held);
    expect(bus.broker.queue('q').active).toBe(0);
  },
);
