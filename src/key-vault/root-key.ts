import type { TokenCredential } from '@azure/core-auth';
import { CryptographyClient } from '@azure/keyvault-keys';
import { KeyfleetError } from '../errors.ts';
import { toFailure } from './failures.ts';

export interface RootKeyOptions {
  /** The home vault, e.g. `https://keyfleet-home.vault.azure.net`. */
  vaultUrl: string;
  keyName: string;
  credential: TokenCredential;
}

/** RSA-OAEP with SHA-256 in the home vault; the private part never leaves it. */
export interface RootKey {
  wrap(plaintext: Uint8Array): Promise<{ wrapped: Uint8Array; rootKeyId: string }>;
  unwrap(wrapped: Uint8Array, rootKeyId: string): Promise<Uint8Array>;
}

const algorithm = 'RSA-OAEP-256';

/** Errors are {@link KeyfleetError} `unavailable`: without its home vault the service can't read its own state. */
export function createRootKey({ vaultUrl, keyName, credential }: RootKeyOptions): RootKey {
  const vault = new URL(vaultUrl).host;

  async function run<T>(permission: 'wrapKey' | 'unwrapKey', send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const failure = toFailure(error, { vault, action: `use the root key "${keyName}"`, permission, changes: false });
      throw new KeyfleetError('unavailable', `Keyfleet can't open its state: ${failure.message}`, { cause: failure });
    }
  }

  return {
    async wrap(plaintext) {
      const newest = new CryptographyClient(`${vaultUrl.replace(/\/$/, '')}/keys/${keyName}`, credential);
      const { result, keyID } = await run('wrapKey', () => newest.wrapKey(algorithm, plaintext));
      if (keyID === undefined)
        throw new KeyfleetError('internal', 'Key Vault did not say which key version it wrapped with');
      return { wrapped: result, rootKeyId: keyID };
    },
    async unwrap(wrapped, rootKeyId) {
      const client = new CryptographyClient(rootKeyId, credential);
      const { result } = await run('unwrapKey', () => client.unwrapKey(algorithm, wrapped));
      return result;
    },
  };
}
