import type { Connection } from 'rhea';
import type { Fault } from '../../faults.ts';
import { faultRefusal, internalError } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { socketOf } from './rhea-internals.ts';

export interface Exchange<Result> {
  connection: Connection;
  fault: Fault | undefined;
  /** Does what was asked for; `again` when a fault makes it happen twice. Its own refusal is answered like any result. */
  effect: (again: boolean) => Result;
  answer: (result: Result) => void;
  refuse: (refusal: AmqpRefusal) => void;
}

/** One operation with the fault that it must suffer, if any. */
export function exchange<Result>({ connection, fault, effect, answer, refuse }: Exchange<Result>): void {
  switch (fault?.kind) {
    case 'refuse':
    case 'throttle':
      refuse(faultRefusal(fault));
      return;
    case 'reset':
      breakConnection(connection);
      return;
    case 'fail-after-effect':
      effect(false);
      refuse(internalError);
      return;
    case 'drop-reply':
      effect(false);
      breakConnection(connection);
      return;
    case 'delay': {
      const result = effect(false);
      setTimeout(() => answer(result), fault.milliseconds).unref();
      return;
    }
    case 'twice': {
      const result = effect(false);
      effect(true);
      answer(result);
      return;
    }
    case undefined:
      answer(effect(false));
  }
}

/** As a broken network would: no close, no detach. */
export function breakConnection(connection: Connection): void {
  socketOf(connection).destroy();
}
