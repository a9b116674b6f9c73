import { createPrivateKey, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { compactDecrypt, CompactEncrypt } from 'jose';
import { KeyVaultError } from './errors.ts';
import type { ObjectKind } from './object-kind.ts';
import type { StoredObject, StoredVersion } from './object-store.ts';

/**
 * Seals objects so that only vaults of the same subscription and geography, which are all vaults of one stand-in, can
 * open them again.
 */
export interface Backups {
  /** @returns base64url of a marker followed by a JWE (RSA-OAEP-256, A256CBC-HS512) */
  seal(kind: ObjectKind, object: StoredObject<StoredVersion>): Promise<string>;
  /** @throws KeyVaultError 400 `Malformed backup blob` for anything that wasn't sealed here, or is of another kind */
  open(kind: ObjectKind, sealed: string): Promise<StoredObject<StoredVersion>>;
  /** PKCS#8 DER of the sealing key; undefined if nothing was sealed yet. */
  privateKey(): Buffer | undefined;
}

interface Sealed {
  name: string;
  versions: StoredVersion[];
  newest: string;
}

const generate = promisify(generateKeyPair);

/** @param stored what {@link Backups.privateKey} returned earlier */
export function createBackups(stored?: Buffer): Backups {
  let privateKey = stored;
  const sealingKey = async () => {
    privateKey ??= (await generate('rsa', { modulusLength: 2048 })).privateKey.export({ type: 'pkcs8', format: 'der' });
    return createPrivateKey({ key: privateKey, type: 'pkcs8', format: 'der' });
  };
  return {
    privateKey: () => privateKey,
    async seal(kind, object) {
      const content: Sealed = {
        name: object.name,
        versions: [...object.versions.values()],
        newest: object.newest.version,
      };
      const plaintext = serialize(content);
      const jwe = await new CompactEncrypt(plaintext)
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256CBC-HS512' })
        .encrypt(createPublicKey(await sealingKey()));
      return Buffer.from(markerOf(kind) + jwe).toString('base64url');
    },
    async open(kind, sealed) {
      const text = Buffer.from(sealed, 'base64url').toString();
      const marker = markerOf(kind);
      if (!text.startsWith(marker)) throw malformed();
      let plaintext: Uint8Array;
      try {
        ({ plaintext } = await compactDecrypt(text.slice(marker.length), await sealingKey()));
      } catch {
        throw malformed();
      }
      const { name, versions, newest } = deserialize(plaintext) as Sealed;
      const byId = new Map(versions.map((version) => [version.version, version]));
      return { name, versions: byId, newest: byId.get(newest) as StoredVersion };
    },
  };
}

const markerOf = (kind: ObjectKind): string => `AzureKeyVault${kind.noun}BackupV1.microsoft.com`;

/** The service's code for this is a sentence, unlike any other. */
const malformed = (): KeyVaultError =>
  new KeyVaultError(400, 'Malformed backup blob', "The backup isn't one of this subscription and geography.");
