import { setImmediate as tick } from 'node:timers';
import { isAzureFailure } from '../../../src/azure-failure.ts';
import { tooLate } from '../../../src/key-vault/deadlines.ts';
import { openHouse, type House, type World } from '../../support/house.ts';
import { strikeInProcess, type Interruption, type Room } from '../../support/interruptions.ts';

interface WaitingCall {
  instance: number;
  proceed: () => void;
}

/**
 * Several instances of the service over one world. Whatever they do stops at each call to a table, a vault or the queue,
 * before it is made, and at each reply of a vault; one at a time is told to go on. So an instance may be held up at any
 * call for any time.
 */
export interface Instances {
  /** Begins something at an instance, beside all that it is doing. */
  start(instance: number, activity: (house: House) => Promise<void>): Promise<void>;
  /** Instances that have a call or a reply waiting, in order. */
  waiting(): number[];
  /** Waits for something that an instance does and that nobody holds up. */
  unhindered(work: () => Promise<void>): Promise<void>;
  /** Lets one call or reply of an instance go on. @param which any number */
  proceed(instance: number, which: number): Promise<void>;
  /** Nothing that the instance was doing goes on; another process takes its place. */
  kill(instance: number): void;
  /** Calls and replies that went on so far. */
  readonly steps: number;
  /** Changes that a vault didn't get any more because their time was over. */
  readonly late: number;
  /** What activities have thrown. */
  readonly errors: readonly unknown[];
}

/** @param interrupt decides about each call by its number at its instance */
export function createInstances(
  world: World,
  interrupt: (instance: number, call: number, room: Room) => Interruption | undefined,
): Instances {
  const houses = new Map<number, House>();
  const errors: unknown[] = [];
  let calls: WaitingCall[] = [];
  let steps = 0;
  let late = 0;
  let atWork = 0;
  let rest = () => {};

  async function working<T>(work: () => Promise<T>): Promise<T> {
    atWork++;
    try {
      return await work();
    } finally {
      if (--atWork === 0) rest();
    }
  }

  function gate<T extends object>(instance: number, target: T, holdsReplies: boolean): T {
    const turn = () => new Promise<void>((proceed) => calls.push({ instance, proceed }));
    return new Proxy(target, {
      get(object, property) {
        const value: unknown = Reflect.get(object, property);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          await turn();
          try {
            return await working(() => Reflect.apply(value, object, args) as Promise<unknown>);
          } catch (error) {
            if (isAzureFailure(error, 'unavailable') && error.message === tooLate().message) late++;
            throw error;
          } finally {
            if (holdsReplies) await turn();
          }
        };
      },
    });
  }

  function houseOf(instance: number): House {
    const house =
      houses.get(instance) ??
      openHouse(
        {
          ...world,
          // Faults of a stand-in would wait there for a call, and strike whoever's comes first.
          strike: strikeInProcess,
          openTable: (name) => gate(instance, world.openTable(name), false),
          openVault: (name) => gate(instance, world.openVault(name), true),
          messaging: gate(instance, world.messaging, false),
        },
        (call, room) => interrupt(instance, call, room),
      );
    houses.set(instance, house);
    return house;
  }

  /** One turn of the event loop after the last answer, who goes on at all waits for its next turn. */
  async function quiet(): Promise<void> {
    do {
      if (atWork > 0) await new Promise<void>((resolve) => (rest = resolve));
      await new Promise<void>((resolve) => tick(resolve));
    } while (atWork > 0);
  }

  return {
    async start(instance, activity) {
      activity(houseOf(instance)).catch((error: unknown) => errors.push(error));
      await quiet();
    },
    waiting: () => [...new Set(calls.map(({ instance }) => instance))].sort(),
    async proceed(instance, which) {
      const own = calls.filter((call) => call.instance === instance);
      const picked = own[which % own.length];
      if (picked === undefined) return;
      calls = calls.filter((call) => call !== picked);
      steps++;
      picked.proceed();
      await quiet();
    },
    unhindered: working,
    kill(instance) {
      calls = calls.filter((call) => call.instance !== instance);
      houses.delete(instance);
    },
    get steps() {
      return steps;
    },
    get late() {
      return late;
    },
    errors,
  };
}
