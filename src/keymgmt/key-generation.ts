import { KeyfleetError } from '../errors.ts';
import { createFairQueue } from './fair-queue.ts';
import type { KeyType } from './key-types.ts';
import { makeRsaKeyPair, type KeyPair } from './rsa-key-pair.ts';

export interface GenerationRequest {
  /** Whose key it becomes: owners take turns. */
  owner: string;
  /** Once aborted, nobody wants the pair any more: its reason is what the request is rejected with. */
  signal?: AbortSignal;
}

/**
 * @returns a pair that nobody else has
 * @throws KeyfleetError `unavailable` if too many of the owner's wait already, and whatever the signal was aborted with
 */
export type GenerateKeyPair = (type: KeyType, request: GenerationRequest) => Promise<KeyPair>;

export interface KeyPairGenerator {
  generate: GenerateKeyPair;
  /** How many are made at once in the background. */
  readonly placesInBackground: number;
  /**
   * Generates when nobody else waits, and leaves one place free for who may come, if there are two.
   * @param signal ends the waiting, not the work
   * @returns undefined if the signal was aborted first
   */
  generateInBackground(type: KeyType, signal: AbortSignal): Promise<KeyPair | undefined>;
}

export interface KeyPairGeneratorOptions {
  /** Of this process, as `UV_THREADPOOL_SIZE` gives it. */
  threadPoolSize: number;
  /** Makes one pair; OpenSSL's unless given. */
  makeKeyPair?: (type: KeyType) => Promise<KeyPair>;
}

/**
 * As many as two cores make, of the smallest type, in the time that a request waits. One more would only be told later
 * that it came to nothing, after it had held a connection and memory for all that time.
 */
export const mostWaitingOfOwner = 3000;

/**
 * Generates key pairs, few at a time. Searching primes holds a thread of Node's pool for as long as seconds, and DNS
 * look-ups and file reads wait for the same threads: two always stay free for them.
 */
export function createKeyPairGenerator(options: KeyPairGeneratorOptions): KeyPairGenerator {
  const { threadPoolSize, makeKeyPair = makeRsaKeyPair } = options;
  const places = Math.max(1, threadPoolSize - 2);
  const placesInBackground = Math.max(1, places - 1);
  const requests = createFairQueue<() => void>();
  const background = new Set<() => void>();
  let taken = 0;
  let takenInBackground = 0;

  /** Each start takes a place at once. */
  function startWaiting(): void {
    while (taken < places) {
      const start = requests.next() ?? nextInBackground();
      if (start === undefined) return;
      start();
    }
  }

  function nextInBackground(): (() => void) | undefined {
    if (takenInBackground >= placesInBackground) return undefined;
    const [start] = background;
    if (start !== undefined) background.delete(start);
    return start;
  }

  /** The place is held until OpenSSL is done, whoever still waits for the pair. */
  async function make(type: KeyType, leave: () => void): Promise<KeyPair> {
    try {
      return await makeKeyPair(type);
    } finally {
      leave();
      startWaiting();
    }
  }

  return {
    placesInBackground,

    async generate(type, { owner, signal }) {
      signal?.throwIfAborted();
      if (requests.waitingOf(owner) >= mostWaitingOfOwner) {
        throw new KeyfleetError(
          'unavailable',
          `${mostWaitingOfOwner} key pairs are waited for already: try again in a minute`,
        );
      }
      return new Promise<KeyPair>((resolve, reject) => {
        const start = () => {
          taken++;
          signal?.removeEventListener('abort', leave);
          const made = make(type, () => taken--);
          resolve(signal === undefined ? made : unlessAborted(made, signal));
        };
        const leave = () => {
          requests.remove(owner, start);
          reject(signal?.reason as Error);
        };
        signal?.addEventListener('abort', leave, { once: true });
        requests.add(owner, start);
        startWaiting();
      });
    },

    async generateInBackground(type, signal) {
      if (signal.aborted) return undefined;
      return new Promise<KeyPair | undefined>((resolve) => {
        const start = () => {
          taken++;
          takenInBackground++;
          signal.removeEventListener('abort', leave);
          const made = make(type, () => {
            taken--;
            takenInBackground--;
          });
          resolve(made);
        };
        const leave = () => {
          background.delete(start);
          resolve(undefined);
        };
        signal.addEventListener('abort', leave, { once: true });
        background.add(start);
        startWaiting();
      });
    },
  };
}

/** A pair that comes after the abort is zeroed: nobody is left who would. */
async function unlessAborted(made: Promise<KeyPair>, signal: AbortSignal): Promise<KeyPair> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([made, aborted.promise]);
  } catch (error) {
    made.then(
      ({ privateKey }) => privateKey.fill(0),
      () => undefined,
    );
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
