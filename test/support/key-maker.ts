import type { KeyType } from '../../src/keymgmt/key-types.ts';
import type { KeyPair } from '../../src/keymgmt/rsa-key-pair.ts';

/** Stands in for OpenSSL: whoever tests says when a pair is done. */
export interface KeyMaker {
  makeKeyPair: (type: KeyType) => Promise<KeyPair>;
  /** Types of what is being made, in the order in which it was begun. */
  readonly working: readonly KeyType[];
  /** All that was ever begun. */
  readonly begun: number;
  /** Completes what is being made, the oldest by default. @returns the pair, which is the only one of its bytes */
  finish(index?: number): Promise<KeyPair>;
  fail(error: Error): Promise<void>;
}

export function createKeyMaker(): KeyMaker {
  const working: { type: KeyType; made: PromiseWithResolvers<KeyPair> }[] = [];
  let begun = 0;

  function take(index: number) {
    const [taken] = working.splice(index, 1);
    if (taken === undefined) throw new Error('nothing is being made');
    return taken.made;
  }

  return {
    get working() {
      return working.map(({ type }) => type);
    },
    get begun() {
      return begun;
    },
    makeKeyPair(type) {
      begun++;
      const made = Promise.withResolvers<KeyPair>();
      working.push({ type, made });
      return made.promise;
    },
    async finish(index = 0) {
      const made = take(index);
      const pair = { publicKey: Buffer.from(`public ${begun}`), privateKey: Buffer.from(`private ${begun}`) };
      made.resolve(pair);
      await settled();
      return pair;
    },
    async fail(error) {
      take(0).reject(error);
      await settled();
    },
  };
}

/** Lets everything happen that waits for nothing but its turn. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
