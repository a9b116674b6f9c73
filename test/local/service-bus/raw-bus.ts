import { once } from 'node:events';
import rhea from 'rhea';
import type { Delivery, EventContext, Message } from 'rhea';
import { startBus, until } from './harness.ts';
import { connectRaw } from './raw-client.ts';
import type { RawClient } from './raw-client.ts';

/** A broker with one queue `q`, and a raw client that may use it. */
export async function startRaw(
  queue: { requiresSession?: boolean; lockDurationSeconds?: number; maxMessageSizeBytes?: number } = {},
) {
  const bus = await startBus({ queues: [{ name: 'q', ...queue }] });
  const raw = await connectRaw(bus.broker.port);
  await raw.putToken('q');
  return {
    raw,
    queue: bus.broker.queue('q'),
    client: bus.client,
    port: bus.broker.port,
    async [Symbol.asyncDispose]() {
      await raw[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
    },
  };
}

/** A receiver that hands out nothing by itself, as the real client's. */
export async function peekLockReceiver(raw: RawClient, options: Record<string, unknown> = {}) {
  const receiver = await raw.receiver({
    source: { address: 'q' },
    snd_settle_mode: 0,
    rcv_settle_mode: 1,
    credit_window: 0,
    autoaccept: false,
    autosettle: false,
    ...options,
  } as never);
  const received: { message: Message; delivery: Delivery }[] = [];
  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (message !== undefined && delivery !== undefined) received.push({ message, delivery });
  });
  async function next() {
    const index = received.length;
    receiver.add_credit(1);
    await until(() => received.length > index, 'a message');
    return received[index] as { message: Message; delivery: Delivery };
  }
  return { receiver, received, next };
}

/** Settles, and waits for the broker's answer. @returns the state it answered with */
export async function settled(delivery: Delivery, settle: () => void): Promise<{ error?: unknown }> {
  const answer = once(delivery.link, 'settled');
  settle();
  await answer;
  return delivery.remote_state ?? {};
}

/** A delivery's lock token as management requests hold it. */
export function lockTokenBytes(delivery: Delivery): Buffer {
  const tag = Buffer.from(delivery.tag);
  return Buffer.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((position) => tag[position] ?? 0));
}

export const lockTokens = (...tokens: Buffer[]): unknown => rhea.types.wrap_array(tokens, 0x98, undefined);
