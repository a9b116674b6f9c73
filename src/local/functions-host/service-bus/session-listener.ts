import { isServiceBusError, type ServiceBusSessionReceiver } from '@azure/service-bus';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Listener, ListenerOptions } from './listener.ts';
import { keepLocked } from './session-renewal.ts';

/** After an error that isn't just "no session is free". */
const pauseMilliseconds = 500;

/**
 * Holds up to `maxConcurrentSessions` sessions and takes the messages of each one after the other; a session that stays
 * empty for the idle timeout is given back. One accept is pending at a time.
 */
export function listenToSessions({ client, entity, hostSettings, processMessage, report }: ListenerOptions): Listener {
  const stopping = new AbortController();
  const { signal } = stopping;
  const held = new Set<Promise<void>>();
  const [first, second] = entity.receiverOf;
  const options = {
    maxAutoLockRenewalDurationInMs: 0,
    skipParsingBodyAsJson: true,
  };

  async function accept(): Promise<ServiceBusSessionReceiver | undefined> {
    try {
      return await (second === undefined
        ? client.acceptNextSession(first, options)
        : client.acceptNextSession(first, second, options));
    } catch (error) {
      if (signal.aborted || (isServiceBusError(error) && error.code === 'ServiceTimeout')) return undefined;
      report('Accepting a session', error);
      await sleep(pauseMilliseconds, undefined, { signal }).catch(() => undefined);
      return undefined;
    }
  }

  async function work(receiver: ServiceBusSessionReceiver): Promise<void> {
    const working = new AbortController();
    const { maxAutoLockRenewalMilliseconds, sessionIdleTimeoutMilliseconds } = hostSettings;
    const endFromNow = () => Date.now() + maxAutoLockRenewalMilliseconds + sessionIdleTimeoutMilliseconds;
    let endTime = endFromNow();
    const keeping = keepLocked(receiver, () => endTime, working.signal);
    try {
      while (!signal.aborted) {
        const [message] = await receiver.receiveMessages(1, {
          maxWaitTimeInMs: sessionIdleTimeoutMilliseconds,
          abortSignal: signal,
        });
        if (!message) return;
        endTime = endFromNow();
        await processMessage(receiver, message);
      }
    } catch (error) {
      if (!signal.aborted) report(`Receiving from session '${receiver.sessionId}'`, error);
    } finally {
      working.abort();
      await keeping;
      await receiver.close().catch((error: unknown) => report('Closing a session', error));
    }
  }

  async function loop(): Promise<void> {
    while (!signal.aborted) {
      const receiver = await accept();
      if (!receiver) continue;
      const working = work(receiver).finally(() => held.delete(working));
      held.add(working);
      if (held.size >= hostSettings.maxConcurrentSessions) await Promise.race(held);
    }
  }

  loop().catch((error: unknown) => report('Listening', error));
  return {
    async stop() {
      stopping.abort();
      // Nobody waits for the accept that is pending: the client can't give it up, and lets go of what it still brings.
      await Promise.all(held);
    },
  };
}
