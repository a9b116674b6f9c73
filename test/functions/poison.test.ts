import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { createDistributionHandler } from '../../src/functions/queues/distribution.ts';
import { toMessageData } from '../../src/local/functions-host/service-bus/message-data.ts';
import { queues } from '../../src/local/platform/queues.ts';
import { createQueue } from '../../src/local/service-bus/engine/create-queue.ts';
import { queueSettings } from '../../src/local/service-bus/engine/options.ts';
import { decodeMessage, encodeWakeUp } from '../../src/messaging/wake-up.ts';
import { poison, type PoisonBody } from '../support/poison.ts';
import { runsOf } from '../support/runs.ts';

const app = createApp(
  {
    KEYFLEET_TABLES_ENDPOINT: 'https://state.invalid',
    KEYFLEET_HOME_VAULT_URI: 'https://home.invalid',
    ServiceBus__fullyQualifiedNamespace: 'bus.invalid',
  },
  { log: () => undefined, report: () => undefined },
);
const handle = createDistributionHandler({ app });

/** What the host and the programming model make of a body before the handler gets it. */
function asDelivered(body: PoisonBody): unknown {
  const message = { body: body.type === 'data' ? body.bytes : body.value } as ServiceBusReceivedMessage;
  const { data } = toMessageData(message, false);
  const text = data.string ?? '';
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const ours = encodeWakeUp({ mount: 'm', key: 'k', provider: 'p' });

/** The deployed queue, with one session that is handled as the host does: a throw gives back, a return completes. */
function openQueue() {
  const [options] = queues;
  if (options === undefined) throw new Error('there is no queue');
  const queue = createQueue<unknown>(queueSettings(options), () => new Date(0));
  const session = queue.acceptSession('s', () => undefined);
  let messages = 0;
  return {
    /** @param payload as the handler will see it */
    send(payload: unknown) {
      const properties = { messageId: String(messages++), sessionId: 's', timeToLiveMilliseconds: undefined };
      queue.enqueue({ ...properties, payload });
    },
    /** @returns how often anything was delivered until nothing was left, and what was completed */
    async work(handler: (input: unknown) => Promise<void>) {
      let deliveries = 0;
      const completed: unknown[] = [];
      for (;;) {
        const message = queue.receive({ mode: 'peek-lock', session });
        if (message?.lock === undefined) return { deliveries, completed, deadLettered: queue.counts().deadLettered };
        deliveries++;
        const { token } = message.lock;
        try {
          await handler(message.payload);
          queue.settle(token, { kind: 'complete' }, session);
          completed.push(message.payload);
        } catch {
          queue.settle(token, { kind: 'abandon', properties: {} }, session);
        }
      }
    },
  };
}

/** Has the real handler refuse what isn't ours; what is, is only counted, as there is no Azure here to do it in. */
async function handleOrCount(input: unknown): Promise<void> {
  if (decodeMessage(input) === undefined) await handle(input);
}

test(
  'whatever comes in, the handler refuses it, says nothing of it, and the queue goes on',
  { timeout: 300_000 },
  async () => {
    const byKind = new Map<string, number>();
    let slowest = 0;
    const runs = runsOf({ usually: 1000, long: 10_000 });
    await fc.assert(
      fc.asyncProperty(poison, async ({ kind, body }) => {
        byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
        const start = performance.now();
        const input = asDelivered(body);
        const refusal: unknown = await handle(input).then(
          () => 'it was taken',
          (error: unknown) => error,
        );
        slowest = Math.max(slowest, performance.now() - start);
        expect(refusal).toMatchObject({
          code: 'invalid_request',
          message: 'a message of the distribution queue is not a wake-up of ours',
        });
        expect((refusal as Error).cause).toBeUndefined();
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();

        const queue = openQueue();
        queue.send(input);
        queue.send(ours);
        expect(await queue.work(handleOrCount)).toEqual({ deliveries: 6, completed: [ours], deadLettered: 1 });
      }),
      runs,
    );
    console.log(
      `${runs.numRuns} poisonous messages of ${byKind.size} kinds: all dead after 5 deliveries, ` +
        `the one behind each was handled; the slowest took ${slowest.toFixed(0)} ms`,
    );
    expect(slowest).toBeLessThan(10_000);
  },
);
