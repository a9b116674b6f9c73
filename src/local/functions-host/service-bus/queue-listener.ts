import type { ServiceBusReceiver } from '@azure/service-bus';
import type { Listener, ListenerOptions } from './listener.ts';

/** Takes messages of an entity without sessions, so many at once as host.json allows. */
export function listenToQueue({ client, entity, hostSettings, processMessage, report }: ListenerOptions): Listener {
  const running = new Set<Promise<void>>();
  const options = {
    maxAutoLockRenewalDurationInMs: hostSettings.maxAutoLockRenewalMilliseconds,
    skipParsingBodyAsJson: true,
  };
  const [first, second] = entity.receiverOf;
  const receiver: ServiceBusReceiver =
    second === undefined ? client.createReceiver(first, options) : client.createReceiver(first, second, options);
  const subscription = receiver.subscribe(
    {
      async processMessage(message) {
        const processing = processMessage(receiver, message);
        running.add(processing);
        await processing;
        running.delete(processing);
      },
      processError: async ({ error }) => report('Receiving', error),
    },
    { autoCompleteMessages: false, maxConcurrentCalls: hostSettings.maxConcurrentCalls },
  );
  return {
    async stop() {
      await subscription.close();
      await Promise.all(running);
      await receiver.close();
    },
  };
}
