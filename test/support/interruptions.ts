import { AzureFailure } from '../../src/azure-failure.ts';

/** The process is gone: nothing after this happens. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/** The sweep goes on to the next intent whatever happened to one, and reports at the end. */
export function isCrash(error: unknown): boolean {
  return error instanceof Crash || (error instanceof AggregateError && error.errors.some(isCrash));
}

/**
 * What happens at one call. `crash-before` and `crash-after`: the process dies, without or with the effect. `lost`: the
 * effect happens, the caller is told that the outcome isn't known. `unavailable`, `throttled`: no effect.
 */
export type Interruption = 'crash-before' | 'crash-after' | 'lost' | 'unavailable' | 'throttled';

/** Decides at every call of a wrapped object whether, and how, it is interrupted. */
export interface Interruptions {
  /** Calls so far. */
  readonly calls: number;
  /** Wraps every method of `target`. @param remote whether calls can fail without the process dying */
  wrap<T extends object>(target: T, remote: boolean): T;
}

export function createInterruptions(next: (call: number, remote: boolean) => Interruption | undefined): Interruptions {
  let calls = 0;
  return {
    get calls() {
      return calls;
    },
    wrap: (target, remote) =>
      new Proxy(target, {
        get(object, property, receiver) {
          const value: unknown = Reflect.get(object, property, receiver);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]): Promise<unknown> => {
            const interruption = next(calls++, remote);
            if (interruption === 'crash-before') throw new Crash();
            if (interruption === 'unavailable' || interruption === 'throttled') {
              throw new AzureFailure(interruption, `injected: ${interruption}`);
            }
            const result: unknown = await Reflect.apply(value, object, args);
            if (interruption === 'crash-after') throw new Crash();
            if (interruption === 'lost') throw new AzureFailure('unknown-outcome', 'injected: the reply was lost');
            return result;
          };
        },
      }),
  };
}
