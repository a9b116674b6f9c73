import type { TokenCredential } from '@azure/core-auth';
import { ServiceBusClient, type ServiceBusSender } from '@azure/service-bus';
import { KeyfleetError } from '../errors.ts';
import {
  distributionQueue,
  encodeCheck,
  encodeWakeUp,
  messageIdOf,
  sessionIdOf,
  type CheckReference,
  type DistributionReference,
} from './wake-up.ts';

export { createDeadLetters } from './dead-letters.ts';
export { decodeMessage, distributionQueue, type CheckReference, type DistributionReference } from './wake-up.ts';

/** Sends wake-ups to the reconciler. */
export interface Messaging {
  /**
   * @param stamp of the intent that the wake-up is for; the same stamp again within ten minutes has no effect
   * @param time when the message may be seen; absent: now
   * @throws KeyfleetError `unavailable` if Service Bus doesn't take it
   */
  wake(reference: DistributionReference, stamp: string, time?: Date): Promise<void>;
  /**
   * Asks for a provider's vault to be looked through.
   * @param stamp the same again within ten minutes has no effect
   * @param time when the message may be seen; absent: now
   * @throws KeyfleetError `unavailable` if Service Bus doesn't take it
   */
  check(reference: CheckReference, stamp: string, time?: Date): Promise<void>;
}

export interface MessagingOptions {
  fullyQualifiedNamespace: string;
  credential: TokenCredential;
}

const sendTimeoutMilliseconds = 10_000;

export function createMessaging({ fullyQualifiedNamespace, credential }: MessagingOptions): Messaging {
  let sender: ServiceBusSender | undefined;

  function openSender(): ServiceBusSender {
    sender ??= new ServiceBusClient(fullyQualifiedNamespace, credential, {
      retryOptions: { maxRetries: 2, retryDelayInMs: 300, timeoutInMs: sendTimeoutMilliseconds / 2 },
    }).createSender(distributionQueue);
    return sender;
  }

  async function send(
    reference: DistributionReference | CheckReference,
    stamp: string,
    rest: { body: unknown; scheduledEnqueueTimeUtc?: Date },
  ): Promise<void> {
    try {
      const message = {
        contentType: 'application/json',
        messageId: messageIdOf(reference, stamp),
        sessionId: sessionIdOf(reference),
        ...rest,
      };
      await openSender().sendMessages(message, { abortSignal: AbortSignal.timeout(sendTimeoutMilliseconds) });
    } catch (error) {
      const reason = 'the reconciler could not be woken: Service Bus did not take the message';
      throw new KeyfleetError('unavailable', reason, { cause: error });
    }
  }

  return {
    wake: (reference, stamp, time) => send(reference, stamp, { body: encodeWakeUp(reference), ...visibleFrom(time) }),
    check: (reference, stamp, time) => send(reference, stamp, { body: encodeCheck(reference), ...visibleFrom(time) }),
  };
}

function visibleFrom(time: Date | undefined): { scheduledEnqueueTimeUtc?: Date } {
  return time === undefined ? {} : { scheduledEnqueueTimeUtc: time };
}
