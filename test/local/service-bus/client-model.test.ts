import type { ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSessionReceiver } from '@azure/service-bus';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { expectAgreement, historyWith } from './engine/histories.ts';
import type { Subject } from './engine/histories.ts';
import type { ModelSettings, Received } from './engine/model.ts';
import { sleep, startBus } from './harness.ts';
import type { Bus } from './harness.ts';

const histories = process.env['KEYFLEET_TEST_LONG'] === undefined ? 8 : 150;
const atATime = 8;
const seed = Number(process.env['KEYFLEET_TEST_SEED'] ?? Date.now() % 2 ** 31);

const history = historyWith(['complete', 'complete', 'abandon', 'abandon', 'defer', 'dead-letter']);

const settings: ModelSettings = {
  requiresSession: true,
  lockMilliseconds: 300,
  maxDeliveryCount: 3,
  duplicateWindowMilliseconds: 400,
  deadLetterExpired: true,
};

it.each([
  ['with sessions', settings],
  ['without sessions', { ...settings, requiresSession: false }],
])(
  `the real client sees what the plain model says, in ${histories} histories %s`,
  async (name, modelSettings) => {
    console.log(`client ${name}: seed ${seed}`);
    const samples = fc.sample(history, { numRuns: histories, seed });
    for (let first = 0; first < samples.length; first += atATime) {
      await Promise.all(
        samples.slice(first, first + atATime).map(async (steps) => {
          await using subject = await clientSubject(modelSettings);
          await expectAgreement(subject, modelSettings, steps).catch((error: unknown) => {
            console.log(JSON.stringify(steps));
            throw error;
          });
        }),
      );
    }
    expect(samples).toHaveLength(histories);
  },
  histories * 5000,
);

/** The codes of the real client, by those of the model. */
const codes: Record<string, string> = {
  MessageLockLost: 'message-lock-lost',
  SessionLockLost: 'session-lock-lost',
  SessionCannotBeLocked: 'session-cannot-be-locked',
  MessageNotFound: 'message-not-found',
};

async function answer<Result>(operation: () => Promise<Result>): Promise<Result | string> {
  try {
    return await operation();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code !== undefined && code in codes) return codes[code] as string;
    // These two the client finds out by itself.
    if (message.includes('has been closed')) return 'session-lock-lost';
    if (message.includes('already settled')) return 'message-lock-lost';
    throw error;
  }
}

/** A broker with a clock that stands still between the steps, and a real client. */
async function clientSubject(modelSettings: ModelSettings): Promise<Subject & AsyncDisposable> {
  let now = Date.now();
  const bus: Bus = await startBus({
    queues: [
      {
        name: 'q',
        requiresSession: modelSettings.requiresSession,
        lockDurationSeconds: modelSettings.lockMilliseconds / 1000,
        maxDeliveryCount: modelSettings.maxDeliveryCount,
        requiresDuplicateDetection: true,
        duplicateDetectionHistoryTimeWindowSeconds: modelSettings.duplicateWindowMilliseconds / 1000,
        deadLetteringOnMessageExpiration: modelSettings.deadLetterExpired,
      },
    ],
    now: () => new Date(now),
  });
  const withoutRenewal = { maxAutoLockRenewalDurationInMs: 0 };
  const client = bus.client({ retryOptions: { timeoutInMs: 5000, maxRetries: 0 } });
  const sender = client.createSender('q');
  const queue = bus.broker.queue('q');
  const plain = modelSettings.requiresSession ? undefined : client.createReceiver('q', withoutRenewal);
  const sessions = new Map<number, ServiceBusSessionReceiver>();
  const deliveries: { message: ServiceBusReceivedMessage; receiver: ServiceBusReceiver }[] = [];
  type SequenceNumber = NonNullable<ServiceBusReceivedMessage['sequenceNumber']>;
  const seenNumbers = new Map<number, SequenceNumber>();
  const [aNumber] = await sender.scheduleMessages(
    [{ body: 0, messageId: 'first', sessionId: 'first' }],
    new Date(now + 1e9),
  );
  if (aNumber === undefined) throw new Error('a message was scheduled');
  await sender.cancelScheduledMessages(aNumber);
  /** The client's kind of number; and the message above has taken the first one. */
  const clientNumber = (number: number) => aNumber.add(number);
  const modelNumber = (number: SequenceNumber | undefined) => (number?.toNumber() ?? 0) - 1;

  const receiverOf = (holder: number | undefined): ServiceBusReceiver => {
    const receiver = holder === undefined ? plain : sessions.get(holder);
    if (receiver === undefined) throw new Error('a holder has a receiver');
    return receiver;
  };
  const noted = (message: ServiceBusReceivedMessage, receiver: ServiceBusReceiver): Received => {
    deliveries.push({ message, receiver });
    if (message.sequenceNumber !== undefined)
      seenNumbers.set(message.sequenceNumber.toNumber(), message.sequenceNumber);
    return {
      id: String(message.messageId),
      sequenceNumber: modelNumber(message.sequenceNumber),
      deliveryCount: message.deliveryCount ?? -1,
    };
  };
  const content = (id: string, sessionId: string | undefined) => ({
    body: id,
    messageId: id,
    ...(sessionId !== undefined && { sessionId }),
  });

  return {
    async tick(milliseconds) {
      now += milliseconds;
      queue.messages();
      // Long enough for a detach to reach the client, which would else find out in its own time.
      await sleep(15);
    },
    send: (id, sessionId, timeToLive) =>
      sender.sendMessages({ ...content(id, sessionId), ...(timeToLive !== undefined && { timeToLive }) }),
    async schedule(id, sessionId, milliseconds) {
      const [number] = await sender.scheduleMessages([content(id, sessionId)], new Date(now + milliseconds));
      return modelNumber(number);
    },
    cancelScheduled: (number) => answer(() => sender.cancelScheduledMessages(clientNumber(number)).then(() => 'done')),
    accept: (holder, sessionId) =>
      answer(async () => {
        const receiver = await (sessionId === undefined
          ? client.acceptNextSession('q', withoutRenewal)
          : client.acceptSession('q', sessionId, withoutRenewal));
        sessions.set(holder, receiver);
        return receiver.sessionId;
      }),
    renewSession: (holder) =>
      answer(() => (receiverOf(holder) as ServiceBusSessionReceiver).renewSessionLock().then(() => 'done')),
    closeSession: (holder) => receiverOf(holder).close(),
    renew: (delivery) =>
      answer(async () => {
        const { message, receiver } = deliveries[delivery] as (typeof deliveries)[0];
        await receiver.renewMessageLock(message);
        return 'done';
      }),
    receive: (holder) =>
      answer(async () => {
        const receiver = receiverOf(holder);
        const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 40 });
        return message === undefined ? 'nothing' : noted(message, receiver);
      }),
    receiveDeferred: (holder, number) =>
      answer(async () => {
        const receiver = receiverOf(holder);
        const [message] = await receiver.receiveDeferredMessages([clientNumber(number)]);
        return message === undefined ? 'nothing' : noted(message, receiver);
      }),
    settle: (delivery, kind) =>
      answer(async () => {
        const { message, receiver } = deliveries[delivery] as (typeof deliveries)[0];
        if (kind === 'complete') await receiver.completeMessage(message);
        else if (kind === 'abandon') await receiver.abandonMessage(message);
        else if (kind === 'defer') await receiver.deferMessage(message);
        else await receiver.deadLetterMessage(message, { deadLetterReason: 'by hand', deadLetterErrorDescription: '' });
        return 'done';
      }),
    async snapshot() {
      return {
        messages: queue.messages().map(({ messageId, sequenceNumber, sessionId, state, locked, deliveryCount }) => ({
          id: messageId,
          sequenceNumber: sequenceNumber - 1,
          sessionId,
          state,
          locked,
          deliveryCount,
        })),
        deadLetters: queue.deadLetters().map(({ messageId, applicationProperties }) => ({
          id: messageId,
          reason: applicationProperties['DeadLetterReason'] as string | undefined,
        })),
      };
    },
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}
