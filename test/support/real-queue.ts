import type { TokenCredential } from '@azure/core-auth';
import { ServiceBusClient } from '@azure/service-bus';
import type { EntraStandIn } from '../../src/local/entra/index.ts';
import type { Principal } from '../../src/local/principals.ts';
import type { InspectedMessage, QueueInspection } from '../../src/local/service-bus/index.ts';
import {
  createMessaging,
  decodeMessage,
  distributionQueue,
  type DistributionReference,
  type Messaging,
} from '../../src/messaging/index.ts';
import type { Delivery, World } from './world.ts';

export interface RealQueue extends Pick<
  World,
  'messaging' | 'receive' | 'visible' | 'messages' | 'queued' | 'emptyQueue'
> {
  close(): Promise<void>;
}

export interface RealQueueOptions {
  fullyQualifiedNamespace: string;
  entra: EntraStandIn;
  principal: Principal;
  /** The queue, past the protocol. */
  inspection: QueueInspection;
  now: () => Date;
}

const daySeconds = 86_400;
/** By the broker's clock, which runs ahead of that by which clients renew tokens. Timers can't wait longer than 24 days. */
const signedInSeconds = 20 * daySeconds;
const newClientSeconds = 10 * daySeconds;
const emptyingMilliseconds = 5_000;

/** The queue of the service over AMQP, as the service and the Functions host use it. Requests to look through vaults aren't seen here. */
export function createRealQueue({
  fullyQualifiedNamespace,
  entra,
  principal,
  inspection,
  now,
}: RealQueueOptions): RealQueue {
  const seconds = () => Math.floor(now().getTime() / 1000);
  const credential: TokenCredential = {
    async getToken() {
      const token = await entra.issueToken(principal, 'https://servicebus.azure.net', {
        exp: seconds() + signedInSeconds,
      });
      return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
  const clients: ServiceBusClient[] = [];
  let opened: { client: ServiceBusClient; messaging: Messaging; since: number } | undefined;

  function newClient(): ServiceBusClient {
    const retryOptions = { maxRetries: 0, timeoutInMs: 5000 };
    return new ServiceBusClient(fullyQualifiedNamespace, credential, { retryOptions });
  }

  function open() {
    if (opened === undefined || opened.since + newClientSeconds < seconds()) {
      const client = newClient();
      clients.push(client);
      opened = { client, messaging: createMessaging({ fullyQualifiedNamespace, credential }), since: seconds() };
    }
    return opened;
  }

  const referenceOf = ({ body }: Pick<InspectedMessage, 'body'>) => {
    const decoded = decodeMessage(body);
    return decoded?.kind === 'distribution' ? decoded.reference : undefined;
  };
  const wakeUps = () => inspection.messages().filter((message) => referenceOf(message) !== undefined);

  /** The earliest first. */
  function waiting(): InspectedMessage[] {
    const all = wakeUps();
    const inHand = new Set(all.filter(({ locked }) => locked).map(({ sessionId }) => sessionId));
    return all.filter(({ state, sessionId }) => state === 'active' && !inHand.has(sessionId));
  }

  async function take(sessionId: string): Promise<Delivery | undefined> {
    const session = await open().client.acceptSession(distributionQueue, sessionId, {
      maxAutoLockRenewalDurationInMs: 0,
    });
    const [message] = await session.receiveMessages(1, { maxWaitTimeInMs: 2000 });
    const reference = message && referenceOf(message);
    if (message === undefined || reference === undefined) {
      await session.close();
      return undefined;
    }
    // A lock that was lost meanwhile can't be given back, and the message comes again.
    const end = async (settle: Promise<void>) => {
      await settle.catch(() => undefined);
      await session.close();
    };
    return {
      reference,
      complete: () => end(session.completeMessage(message)),
      abandon: () => end(session.abandonMessage(message)),
      drop: () => session.close(),
      loseLock: () => session.close(),
    };
  }

  /** A client goes on peeking where it ended in whichever session was the one before, so each needs one of its own. */
  async function empty(sessionId: string): Promise<void> {
    const client = newClient();
    const sender = client.createSender(distributionQueue);
    const session = await client.acceptSession(distributionQueue, sessionId, { receiveMode: 'receiveAndDelete' });
    for (const { state, sequenceNumber } of await session.peekMessages(100)) {
      if (state === 'scheduled' && sequenceNumber) await sender.cancelScheduledMessages(sequenceNumber);
      else await session.receiveMessages(1, { maxWaitTimeInMs: 2000 });
    }
    await client.close();
  }

  return {
    messaging: {
      wake: (...wakeUp) => open().messaging.wake(...wakeUp),
      check: (...check) => open().messaging.check(...check),
    },
    async receive(which = 0) {
      const candidates =
        typeof which === 'number' ? waiting() : waiting().filter((message) => isAbout(referenceOf(message), which));
      const chosen = candidates[typeof which === 'number' ? which % Math.max(1, candidates.length) : 0];
      return chosen?.sessionId === undefined ? undefined : take(chosen.sessionId);
    },
    visible: () => waiting().length,
    messages: () =>
      wakeUps().map(({ messageId, state, deliveryCount, body }) =>
        JSON.stringify({ messageId, state, deliveryCount, body }),
      ),
    queued: () => wakeUps().length,
    async emptyQueue() {
      const deadline = Date.now() + emptyingMilliseconds;
      for (let [first] = inspection.messages(); first !== undefined; [first] = inspection.messages()) {
        if (Date.now() > deadline) throw new Error('the queue could not be emptied');
        await empty(first.sessionId ?? '');
      }
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

function isAbout(reference: DistributionReference | undefined, wanted: DistributionReference): boolean {
  const { mount, key, provider } = wanted;
  return reference?.mount === mount && reference.key === key && reference.provider === provider;
}
