import { AzureFailure } from '../../src/azure-failure.ts';
import { KeyfleetError } from '../../src/errors.ts';

/** The process is gone: nothing after this happens. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/** The sweep goes on to the next intent whatever happened to one, and reports at the end. */
export function isCrash(error: unknown): boolean {
  return error instanceof Crash || (error instanceof AggregateError && error.errors.some(isCrash));
}

/** Whose call it is. */
export type Room = 'table' | 'queue' | 'vault';

/**
 * What a call comes to while the process lives on. `unavailable`, `throttled`, `throttled-briefly` (with the time to
 * wait) and `forbidden`: no effect. `failed` and `lost`: the effect happens, but the answer is an error or there is none.
 * `slow`: the effect happens, and the reply comes after every lock is lost. `twice`: it is done twice.
 */
export type Fault =
  'unavailable' | 'throttled' | 'throttled-briefly' | 'forbidden' | 'failed' | 'lost' | 'slow' | 'twice';

/** `crash-before` and `crash-after`: the process dies, without or with the effect. */
export type Interruption = 'crash-before' | 'crash-after' | Fault;

export const crashes: readonly Interruption[] = ['crash-before', 'crash-after'];
export const faults: readonly Fault[] = [
  'unavailable',
  'throttled',
  'throttled-briefly',
  'forbidden',
  'failed',
  'lost',
  'slow',
  'twice',
];

/** One call that is about to suffer. */
export interface StruckCall<T> {
  room: Room;
  /** Whether it would change something. */
  changes: boolean;
  /**
   * Whether it makes a new version. Done twice it would make two: nobody could help that, and nobody does it, as our
   * client doesn't repeat changes and TLS lets nobody else.
   */
  makes: boolean;
  perform: () => Promise<T>;
}

/** Lets a call suffer everything but `slow`, whose delay is whoever strikes' own. */
export type Strike = <T>(fault: Exclude<Fault, 'slow'>, call: StruckCall<T>) => Promise<T>;

/** Decides about a call, by its number in this process. */
export type Interrupt = (call: number, room: Room) => Interruption | undefined;

/** Decides at every call of a wrapped object whether, and how, it is interrupted. */
export interface Interruptions {
  /** Calls so far. */
  readonly calls: number;
  /** Interruptions so far. */
  readonly taken: number;
  /** Whether this process is gone. From then on every call fails, without effect. */
  readonly dead: boolean;
  /** Wraps every method of `target`. */
  wrap<T extends object>(target: T, room: Room): T;
}

export interface InterruptionsOptions {
  interrupt: Interrupt;
  strike: Strike;
  /** What happens in the world while a call is slow. */
  whileSlow: () => Promise<void>;
}

export function createInterruptions({ interrupt, strike, whileSlow }: InterruptionsOptions): Interruptions {
  let calls = 0;
  let taken = 0;
  let dead = false;

  function die(): Crash {
    dead = true;
    return new Crash();
  }

  async function suffer<T>(how: Interruption, call: StruckCall<T>): Promise<T> {
    switch (how) {
      case 'crash-before':
        throw die();
      case 'crash-after':
        await call.perform();
        throw die();
      case 'slow': {
        const result = await call.perform();
        await whileSlow();
        return result;
      }
      default:
        return strike(how, call);
    }
  }

  /** Each page of a list is a call. */
  async function* pages(all: AsyncIterable<unknown, undefined>): AsyncIterable<unknown> {
    const iterator = all[Symbol.asyncIterator]();
    for (;;) {
      let page: Promise<IteratorResult<unknown, undefined>> | undefined;
      const perform = () => (page ??= iterator.next());
      const { done, value }: IteratorResult<unknown, undefined> = await call({
        room: 'vault',
        changes: false,
        makes: false,
        perform,
      });
      if (done === true) return;
      yield value;
    }
  }

  async function call<T>(struck: StruckCall<T>): Promise<T> {
    if (dead) throw new Crash();
    const how = interrupt(calls++, struck.room);
    if (how === undefined) return struck.perform();
    taken++;
    return suffer(how, struck);
  }

  return {
    get calls() {
      return calls;
    },
    get taken() {
      return taken;
    },
    get dead() {
      return dead;
    },
    wrap: (target, room) =>
      new Proxy(target, {
        get(object, property, receiver) {
          const value: unknown = Reflect.get(object, property, receiver);
          if (typeof value !== 'function') return value;
          if (property === 'listKeys')
            return () => pages(Reflect.apply(value, object, []) as AsyncIterable<unknown, undefined>);
          const changes = !/^(get|list|query)/.test(String(property));
          const makes = /^(create|import)/.test(String(property));
          return async (...args: unknown[]): Promise<unknown> => {
            const perform = async (): Promise<unknown> => Reflect.apply(value, object, args) as unknown;
            return call({ room, changes, makes, perform });
          };
        },
      }),
  };
}

/** Faults as the rooms report them, without a protocol in between. */
export const strikeInProcess: Strike = async (fault, { room, changes, makes, perform }) => {
  switch (fault) {
    case 'unavailable':
    case 'throttled':
    case 'throttled-briefly':
    case 'forbidden':
      throw refusal(fault, room);
    case 'failed':
    case 'lost':
      await perform();
      throw room === 'vault' && changes
        ? new AzureFailure('unknown-outcome', 'injected: the reply was lost')
        : refusal('unavailable', room);
    case 'twice': {
      const first = await perform();
      if (makes) return first;
      // The second of two deletes finds nothing, and yet the caller's delete was done.
      return room === 'vault' ? await perform().catch(() => first) : perform();
    }
  }
};

function refusal(fault: 'unavailable' | 'throttled' | 'throttled-briefly' | 'forbidden', room: Room): Error {
  const reason = `injected: ${fault}`;
  if (room !== 'vault') return new KeyfleetError('unavailable', reason);
  return fault === 'throttled-briefly'
    ? new AzureFailure('throttled', reason, { retryAfterSeconds: 7 })
    : new AzureFailure(fault, reason);
}
