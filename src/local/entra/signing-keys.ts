import type { KeyObject } from 'node:crypto';
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { JSONWebKeySet, JWK } from 'jose';
import { calculateJwkThumbprint, exportJWK } from 'jose';

interface SigningKey {
  keyId: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  jwk: JWK;
}

/** RS256 keys: the newest signs, it and its predecessor are published. */
export interface SigningKeys {
  current(): Promise<SigningKey>;
  find(keyId: string | undefined): Promise<SigningKey | undefined>;
  published: () => Promise<JSONWebKeySet>;
  /** From here on a new key signs. Tokens of the one before stay valid until the next rotation. */
  rotate: () => Promise<void>;
}

/** Starts making the first key at once and doesn't wait for it: that takes longer than everything else here. */
export function createSigningKeys(): SigningKeys {
  let keys: readonly Promise<SigningKey>[] = [generate()];

  return {
    current: async () => first(await Promise.all(keys)),
    find: async (keyId) => (await Promise.all(keys)).find((key) => key.keyId === keyId),
    published: async () => ({ keys: (await Promise.all(keys)).map((key) => key.jwk) }),
    async rotate() {
      const next = generate();
      await next;
      keys = [next, ...keys.slice(0, 1)];
    },
  };
}

async function generate(): Promise<SigningKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const jwk = await exportJWK(publicKey);
  const keyId = (await calculateJwkThumbprint(jwk)).slice(0, 27);
  return { keyId, privateKey, publicKey, jwk: { ...jwk, kid: keyId, x5t: keyId, use: 'sig', alg: 'RS256' } };
}

function first(keys: readonly SigningKey[]): SigningKey {
  const [key] = keys;
  if (!key) throw new Error('no signing key');
  return key;
}
