import type { Connection } from 'rhea';
import type { Fault } from '../../faults.ts';
import { faultRefusal, internalError } from './conditions.ts';
import type { AmqpRefusal } from './conditions.ts';
import { socketOf } from './rhea-internals.ts';

export interface Exchange<Result> {
  connection: Connection;
  fault: Fault | undefined;
  /** Does what was asked for. Its own refusal is answered like any result. */
  effect: () => Result;
  answer: (result: Result) => void;
  refuse: (refusal: AmqpRefusal) => void;
}

/**
 * One operation with the fault that it must suffer, if any. `twice` has the effect twice here; where a second effect would
 * be something else (a doubled message), the caller deals with it in `effect`.
 */
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
      effect();
      refuse(internalError);
      return;
    case 'drop-reply':
      effect();
      breakConnection(connection);
      return;
    case 'delay': {
      const result = effect();
      setTimeout(() => answer(result), fault.milliseconds).unref();
      return;
    }
    case 'twice':
    case undefined:
      answer(effect());
  }
}

/** As a broken network would: no close, no detach. */
export function breakConnection(connection: Connection): void {
  socketOf(connection).destroy();
}
