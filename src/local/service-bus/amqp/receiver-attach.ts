import type { Sender } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { SessionLock } from '../engine/message.ts';
import { amqpRefusal, faultRefusal, internalError } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { startDelivering } from './delivering-link.ts';
import type { Entity } from './entities.ts';
import { breakConnection } from './faulty.ts';
import { dotNetTicks } from './lock-token.ts';
import { answerAttach, prepareAttach, withholdAttach } from './rhea-internals.ts';
import { timeoutProperty, sessionFilterName, sessionFilter } from './session-filter.ts';
import rhea from 'rhea';

export interface ReceiverAttachOptions {
  entity: Extract<Entity, { kind: 'queue' }>;
  faults: Faults;
}

/** Anything that has to be let go when its link, session or connection ends. */
export interface OpenLink {
  close(): void;
}

const longestWaitMilliseconds = 65_000;

/** Answers the attach of a client that wants to receive from a queue, now or once there is a session for it. */
export function attachReceiver(sender: Sender, { entity, faults }: ReceiverAttachOptions): OpenLink {
  const { queue, dispatcher } = entity;
  const filter = sessionFilter(sender);
  let link: OpenLink | undefined;

  if (filter === undefined) {
    if (queue.settings.requiresSession) {
      return refuseAttach({
        condition: 'amqp:not-allowed',
        description:
          'It is not possible for an entity that requires sessions to create a non-sessionful message receiver.',
        statusCode: 400,
      });
    }
    prepareAttach(sender, {});
    return startDelivering(sender, { queue, dispatcher, faults, session: undefined });
  }
  if (!queue.settings.requiresSession) {
    return refuseAttach({
      condition: 'amqp:not-allowed',
      description: 'A sessionful message receiver cannot be created on an entity that does not require sessions.',
      statusCode: 400,
    });
  }
  withholdAttach(sender);
  return filter.sessionId === undefined
    ? waitForSession()
    : acceptNow(() => queue.acceptSession(filter.sessionId as string, lost));

  function refuseAttach(refusal: AmqpRefusal): OpenLink {
    prepareAttach(sender, {});
    answerAttach(sender);
    sender.close({ condition: refusal.condition, description: refusal.description });
    return { close: () => undefined };
  }

  function waitForSession(): OpenLink {
    const milliseconds = Math.min(timeoutProperty(sender) ?? longestWaitMilliseconds, longestWaitMilliseconds);
    const waiter = { offer: () => giveUpWaiting(() => (link = acceptNow(() => queue.acceptNextSession(lost)))) };
    const timer = setTimeout(
      () =>
        giveUpWaiting(() =>
          refuseAttach({
            condition: 'com.microsoft:timeout',
            description:
              'The operation did not complete within the allotted timeout: there was no session with messages to accept.',
            statusCode: 408,
          }),
        ),
      milliseconds,
    );
    timer.unref();

    function giveUpWaiting(next: () => void): void {
      clearTimeout(timer);
      dispatcher.removeWaiter(waiter);
      next();
    }

    dispatcher.addWaiter(waiter);
    return { close: () => (link === undefined ? giveUpWaiting(() => undefined) : link.close()) };
  }

  function acceptNow(accept: () => SessionLock | undefined): OpenLink {
    const fault = faults.take('service-bus', 'acceptSession', queue.settings.name);
    if (fault?.kind === 'refuse' || fault?.kind === 'throttle') return refuseAttach(faultRefusal(fault));
    if (fault?.kind === 'reset') {
      breakConnection(sender.connection);
      return { close: () => undefined };
    }
    let lock: SessionLock | undefined;
    try {
      lock = accept();
    } catch (error) {
      return refuseAttach(amqpRefusal(error));
    }
    if (lock === undefined) return waitForSession();
    // Nobody learns of the lock in these two cases: it stays until it runs out.
    if (fault?.kind === 'drop-reply') {
      breakConnection(sender.connection);
      return { close: () => undefined };
    }
    if (fault?.kind === 'fail-after-effect') return refuseAttach(internalError);
    return openSession(lock, fault?.kind === 'delay' ? fault.milliseconds : 0);
  }

  function openSession(lock: SessionLock, delayMilliseconds: number): OpenLink {
    const properties = { 'com.microsoft:locked-until-utc': rhea.types.wrap_long(dotNetTicks(lock.untilMilliseconds)) };
    prepareAttach(sender, { properties, filter: { [sessionFilterName]: lock.sessionId } });
    let open = true;
    let delivering: OpenLink | undefined;
    const answer = () => {
      if (!open) return;
      answerAttach(sender);
      if (lock.held) link = delivering = startDelivering(sender, { queue, dispatcher, faults, session: lock });
      else lost();
    };
    if (delayMilliseconds === 0) answer();
    else setTimeout(answer, delayMilliseconds).unref();
    return {
      close() {
        open = false;
        if (delivering === undefined) queue.closeSession(lock);
        else delivering.close();
      },
    };
  }

  function lost(): void {
    link?.close();
    if (!sender.is_open()) return;
    sender.close({
      condition: 'com.microsoft:session-lock-lost',
      description: 'The session lock has expired. Accept the session again to continue.',
    });
  }
}
