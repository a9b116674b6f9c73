import type { Sender } from 'rhea';
import type { Faults } from '../../faults.ts';
import type { SessionLock } from '../engine/message.ts';
import type { Queue } from '../engine/queue.ts';
import { amqpRefusal, faultRefusal, internalError, noSessionInTime } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { startDelivering } from './delivering-link.ts';
import type { Dispatcher } from './dispatcher.ts';
import { breakConnection } from './faulty.ts';
import { dotNetTicks } from './lock-token.ts';
import type { OpenLink } from './open-links.ts';
import { answerAttach, prepareAttach, types } from './rhea-internals.ts';
import { sessionFilterName } from './session-filter.ts';
import type { WireMessage } from './wire-message.ts';

export interface SessionLinkOptions {
  queue: Queue<WireMessage>;
  dispatcher: Dispatcher;
  faults: Faults;
  /** Locks the session. @throws Refusal */
  accept: (onLockLost: () => void) => SessionLock | undefined;
  /** Answers the attach with a detach. */
  refuse: (refusal: AmqpRefusal) => OpenLink;
}

/** Locks a session for a link whose attach has been withheld, and answers that with the session or the reason against. */
export function openSessionLink(sender: Sender, options: SessionLinkOptions): OpenLink {
  const { queue, dispatcher, faults, refuse } = options;
  const fault = faults.take('service-bus', 'acceptSession', queue.settings.name);
  let delivering: OpenLink | undefined;
  let open = true;
  switch (fault?.kind) {
    case 'refuse':
    case 'throttle':
      return refuse(faultRefusal(fault));
    case 'reset':
      breakConnection(sender.connection);
      return {};
    default:
  }

  let lock: SessionLock | undefined;
  try {
    lock = options.accept(onLockLost);
  } catch (error) {
    return refuse(amqpRefusal(error));
  }
  if (lock === undefined) return refuse(noSessionInTime);
  const held = lock;

  switch (fault?.kind) {
    // Nobody learns of the lock in these two cases: it stays until it runs out.
    case 'drop-reply':
      breakConnection(sender.connection);
      return {};
    case 'fail-after-effect':
      return refuse(internalError);
    case 'delay':
      setTimeout(answer, fault.milliseconds).unref();
      break;
    default:
      answer();
  }
  return { close, sessionLock: () => held };

  function answer(): void {
    if (!open) return;
    const lockedUntil = types.wrap_long(dotNetTicks(held.untilMilliseconds));
    prepareAttach(sender, {
      properties: { 'com.microsoft:locked-until-utc': lockedUntil },
      filter: { [sessionFilterName]: held.sessionId },
    });
    answerAttach(sender);
    if (held.held) delivering = startDelivering(sender, { queue, dispatcher, faults, session: held });
    else detach();
  }

  function close(answerable: boolean): void {
    open = false;
    if (delivering !== undefined) delivering.close?.(answerable);
    else {
      queue.closeSession(held);
      if (answerable) answerAttach(sender);
    }
  }

  function onLockLost(): void {
    // An attach that is still on its way learns of it when it is answered.
    if (delivering === undefined || !open) return;
    delivering.close?.(true);
    detach();
  }

  function detach(): void {
    sender.close({
      condition: 'com.microsoft:session-lock-lost',
      description: `The session lock has expired on the session with id ${held.sessionId}.`,
    });
  }
}
