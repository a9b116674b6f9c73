import type { Sender } from 'rhea';
import type { Faults } from '../../faults.ts';
import { noSessionInTime, notAllowed } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { startDelivering } from './delivering-link.ts';
import type { Entity } from './entities.ts';
import type { OpenLink } from './open-links.ts';
import { answerAttach, prepareAttach, withholdAttach } from './rhea-internals.ts';
import { sessionFilter, timeoutMilliseconds } from './session-filter.ts';
import { openSessionLink } from './session-link.ts';

export interface ReceiverAttachOptions {
  entity: Extract<Entity, { kind: 'queue' }>;
  faults: Faults;
}

const longestWaitMilliseconds = 65_000;

/** Answers the attach of a client that wants to receive from a queue: now, or once there is a session for it. */
export function attachReceiver(sender: Sender, { entity, faults }: ReceiverAttachOptions): OpenLink {
  const { queue, dispatcher } = entity;
  const filter = sessionFilter(sender);

  if (filter === undefined) {
    if (queue.settings.requiresSession) {
      return refuse(
        notAllowed('It is not possible to create a receiver without a session for an entity that requires sessions.'),
      );
    }
    prepareAttach(sender, {});
    return startDelivering(sender, { queue, dispatcher, faults, session: undefined });
  }
  if (!queue.settings.requiresSession) {
    return refuse(
      notAllowed(
        'It is not possible to create a receiver with a session for an entity that does not require sessions.',
      ),
    );
  }
  withholdAttach(sender);
  const { sessionId } = filter;
  const options = { queue, dispatcher, faults, refuse };
  return sessionId === undefined
    ? waitForSession()
    : openSessionLink(sender, { ...options, accept: (onLost) => queue.acceptSession(sessionId, onLost) });

  function refuse({ condition, description }: AmqpRefusal): OpenLink {
    prepareAttach(sender, {});
    answerAttach(sender);
    sender.close({ condition, description });
    return {};
  }

  function waitForSession(): OpenLink {
    let link: OpenLink | undefined;
    const milliseconds = Math.min(timeoutMilliseconds(sender) ?? longestWaitMilliseconds, longestWaitMilliseconds);
    const waiter = {
      offer() {
        stopWaiting();
        link = openSessionLink(sender, { ...options, accept: (onLost) => queue.acceptNextSession(onLost) });
      },
    };
    const timer = setTimeout(() => {
      stopWaiting();
      link = refuse(noSessionInTime);
    }, milliseconds);
    timer.unref();
    dispatcher.addWaiter(waiter);

    function stopWaiting(): void {
      clearTimeout(timer);
      dispatcher.removeWaiter(waiter);
    }

    return {
      sessionLock: () => link?.sessionLock?.(),
      close(answerable) {
        stopWaiting();
        if (link !== undefined) link.close?.(answerable);
        else if (answerable) answerAttach(sender);
      },
    };
  }
}
