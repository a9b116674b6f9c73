import type { TokenCredential } from '@azure/core-auth';
import { ServiceBusClient, type ServiceBusSender } from '@azure/service-bus';
import { KeyfleetError } from '../errors.ts';
import { distributionQueue, encodeWakeUp, messageIdOf, sessionIdOf, type DistributionReference } from './wake-up.ts';

export { createDeadLetters } from './dead-letters.ts';
export { decodeWakeUp, distributionQueue, type DistributionReference } from './wake-up.ts';

/** Sends wake-ups to the reconciler. */
export interface Messaging {
  /**
   * @param stamp of the intent that the wake-up is for; the same stamp again within ten minutes has no effect
   * @param time when the message may be seen; absent: now
   * @throws KeyfleetError `unavailable` if Service Bus doesn't take it
   */
  wake(reference: DistributionReference, stamp: string, time?: Date): Promise<void>;
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

  return {
    async wake(reference, stamp, time) {
      try {
        const message = {
          body: encodeWakeUp(reference),
          contentType: 'application/json',
          messageId: messageIdOf(reference, stamp),
          sessionId: sessionIdOf(reference),
          ...(time !== undefined && { scheduledEnqueueTimeUtc: time }),
        };
        await openSender().sendMessages(message, { abortSignal: AbortSignal.timeout(sendTimeoutMilliseconds) });
      } catch (error) {
        throw new KeyfleetError(
          'unavailable',
          'the reconciler could not be woken: Service Bus did not take the message',
          {
            cause: error,
          },
        );
      }
    },
  };
}
