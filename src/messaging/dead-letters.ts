import { randomUUID } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import { ServiceBusClient, type ServiceBusReceivedMessage, type ServiceBusReceiver } from '@azure/service-bus';
import { mostDeadLetters, type DeadLetters } from '../dead-letters.ts';
import { KeyfleetError } from '../errors.ts';
import { describeDeadLetter, type BuriedMessage } from './dead-letter.ts';
import { distributionQueue } from './wake-up.ts';

export interface DeadLettersOptions {
  fullyQualifiedNamespace: string;
  credential: TokenCredential;
}

/** Well below the lock of a message, so that what is held when time runs out isn't lost to others for long. */
const requestTimeoutMilliseconds = 15_000;
const attemptTimeoutMilliseconds = 5000;

/** How long to wait for letters that somebody else may be holding. */
const receiveWaitMilliseconds = 1000;

/** A look at the queue and what is needed to change it, open for one request. */
interface Visit {
  client: ServiceBusClient;
  receiver: ServiceBusReceiver;
  signal: AbortSignal;
}

/**
 * The dead letters of the distribution queue. They are asked for rarely: each call has a connection of its own, which
 * ends with it.
 */
export function createDeadLetters({ fullyQualifiedNamespace, credential }: DeadLettersOptions): DeadLetters {
  async function visit<Result>(act: (visit: Visit) => Promise<Result>): Promise<Result> {
    const client = new ServiceBusClient(fullyQualifiedNamespace, credential, {
      retryOptions: { maxRetries: 1, retryDelayInMs: 300, timeoutInMs: attemptTimeoutMilliseconds },
    });
    try {
      const receiver = client.createReceiver(distributionQueue, {
        subQueueType: 'deadLetter',
        receiveMode: 'peekLock',
        skipParsingBodyAsJson: true,
        maxAutoLockRenewalDurationInMs: 0,
      });
      return await act({ client, receiver, signal: AbortSignal.timeout(requestTimeoutMilliseconds) });
    } catch (error) {
      throw new KeyfleetError('unavailable', 'Service Bus did not give access to the dead letters: try again', {
        cause: error,
      });
    } finally {
      // What matters is settled by now, and a connection that can't be closed in order ends by itself.
      await client.close().catch(() => undefined);
    }
  }

  return {
    list: () =>
      visit(async ({ receiver, signal }) => {
        const messages = await peek(receiver, mostDeadLetters + 1, signal);
        const letters = messages.slice(0, mostDeadLetters).map((message) => describeDeadLetter(buried(message)));
        return { letters, more: messages.length > mostDeadLetters };
      }),

    replay: (ids) =>
      visit(async ({ client, receiver, signal }) => {
        const sender = client.createSender(distributionQueue);
        return settleEach(receiver, ids, signal, async (message) => {
          const { sessionId, contentType } = message;
          const letter = buried(message);
          if (describeDeadLetter(letter).content.kind === 'foreign') return false;
          if (letter.body.type !== 'data' || sessionId === undefined) return false;
          const again = {
            body: letter.body.bytes,
            sessionId,
            // A new one: duplicate detection would take the old one for done.
            messageId: `${sessionId}.replay-${randomUUID()}`,
            ...(contentType !== undefined && { contentType }),
          };
          await sender.sendMessages(again, { abortSignal: signal });
          await receiver.completeMessage(message);
          return true;
        });
      }),

    drop: (ids) =>
      visit(({ receiver, signal }) =>
        settleEach(receiver, ids, signal, async (message) => {
          await receiver.completeMessage(message);
          return true;
        }),
      ),
  };
}

async function peek(receiver: ServiceBusReceiver, most: number, signal: AbortSignal) {
  const messages: ServiceBusReceivedMessage[] = [];
  while (messages.length < most) {
    // Goes on behind the last message that it answered.
    const page = await receiver.peekMessages(most - messages.length, { abortSignal: signal });
    if (page.length === 0) break;
    messages.push(...page);
  }
  return messages;
}

/**
 * Locks letters from the oldest on until all that are wanted are among them: Service Bus gives out no particular one.
 * The others are given back, each one delivery older.
 * @param settle answers whether it took the message away
 */
async function settleEach(
  receiver: ServiceBusReceiver,
  ids: readonly string[],
  signal: AbortSignal,
  settle: (message: ServiceBusReceivedMessage) => Promise<boolean>,
): Promise<string[]> {
  const order = (await peek(receiver, mostDeadLetters, signal)).map(idOf);
  const wanted = new Set(ids);
  const reach = order.findLastIndex((id) => wanted.has(id)) + 1;
  const settled: string[] = [];
  const held = new Set<ServiceBusReceivedMessage>();
  try {
    for (let received = 0; received < reach && wanted.size > 0;) {
      const messages = await receiver.receiveMessages(reach - received, {
        maxWaitTimeInMs: receiveWaitMilliseconds,
        abortSignal: signal,
      });
      if (messages.length === 0) break;
      received += messages.length;
      for (const message of messages) held.add(message);
      for (const message of messages) {
        const id = idOf(message);
        if (!wanted.delete(id) || !(await settle(message))) continue;
        held.delete(message);
        settled.push(id);
      }
    }
    return settled;
  } finally {
    await Promise.allSettled([...held].map((message) => receiver.abandonMessage(message)));
  }
}

function idOf({ sequenceNumber }: ServiceBusReceivedMessage): string {
  return sequenceNumber?.toString() ?? '';
}

function buried(message: ServiceBusReceivedMessage): BuriedMessage {
  const body: unknown = message.body;
  const isData = message._rawAmqpMessage.bodyType === 'data' && Buffer.isBuffer(body);
  return {
    sequenceNumber: idOf(message),
    sessionId: message.sessionId,
    reason: message.deadLetterReason,
    description: message.deadLetterErrorDescription,
    deliveryCount: message.deliveryCount ?? 0,
    enqueuedTime: message.enqueuedTimeUtc,
    body: isData ? { type: 'data', bytes: body } : { type: 'other', value: body },
  };
}
