import {
  constants,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { Deadline, TargetVault } from '../../src/key-vault/target-vault.ts';
import type { VaultKey } from '../../src/key-vault/transformations.ts';

interface HeldVersion extends VaultKey {
  /** Set for key exchange keys alone. */
  privateKey?: KeyObject;
}

/** Twin of a Key Vault, behind the narrow interface that the reconciler sees. */
export interface MemoryVault extends TargetVault {
  /** Live keys by name, versions in the order in which they were made. */
  readonly held: ReadonlyMap<string, readonly HeldVersion[]>;
  /** What somebody else does there. */
  putForeign(keyName: string, publicKey: KeyObject, tags?: Readonly<Record<string, string>>): void;
}

/** @param exchangeKey private key that every key exchange key made here gets: making one takes long */
export function createMemoryVault(name: string, exchangeKey: KeyObject, now = () => new Date()): MemoryVault {
  const held = new Map<string, HeldVersion[]>();
  const deleted = new Set<string>();

  function add(keyName: string, version: Omit<HeldVersion, 'id' | 'version'>): HeldVersion {
    if (deleted.has(keyName)) throw new AzureFailure('conflict', `${keyName} is deleted but recoverable`);
    const id = randomBytes(16).toString('hex');
    const added = { ...version, version: id, id: `https://${name}/keys/${keyName}/${id}` };
    held.set(keyName, [...(held.get(keyName) ?? []), added]);
    return added;
  }

  function checkTime({ deadline }: Deadline): void {
    if (deadline <= now()) throw new AzureFailure('unavailable', 'the time for the call was over');
  }

  function unwrap(blob: Buffer): KeyObject {
    const { header, ciphertext } = JSON.parse(blob.toString()) as { header: { kid: string }; ciphertext: string };
    const kek = [...held.values()].flat().find(({ id }) => id === header.kid);
    if (kek?.privateKey === undefined) throw new AzureFailure('refused', 'the key exchange key is not here');
    const bytes = Buffer.from(ciphertext, 'base64url');
    const size = (kek.privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
    const aesKey = privateDecrypt({ key: kek.privateKey, ...padding }, bytes.subarray(0, size));
    const decipher = createDecipheriv('id-aes256-wrap-pad', aesKey, Buffer.from('a65959a6', 'hex'));
    const der = Buffer.concat([decipher.update(bytes.subarray(size)), decipher.final()]);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  }

  return {
    name,
    held,
    getKey: async (keyName) => held.get(keyName)?.at(-1),
    createKeyExchangeKey: async (keyName, tags) =>
      add(keyName, {
        type: 'RSA-HSM',
        operations: ['import'],
        enabled: true,
        tags,
        publicKey: createPublicKey(exchangeKey),
        privateKey: exchangeKey,
      }),
    async importWrapped(keyName, blob, { operations, enabled, tags, hardware, deadline }) {
      checkTime({ deadline });
      const type = hardware ? 'RSA-HSM' : 'RSA';
      return add(keyName, { type, operations, enabled, tags, publicKey: createPublicKey(unwrap(blob)) });
    },
    async importPlain(keyName, privateKey, { operations, enabled, tags, deadline }) {
      checkTime({ deadline });
      const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
      return add(keyName, { type: 'RSA', operations, enabled, tags, publicKey: createPublicKey(key) });
    },
    async setEnabled(keyName, version, enabled, options) {
      checkTime(options);
      const found = held.get(keyName)?.find((entry) => entry.version === version);
      if (found === undefined) throw new AzureFailure('absent', 'there is no such key');
      found.enabled = enabled;
      return found;
    },
    async deleteKey(keyName, options) {
      checkTime(options);
      if (!held.delete(keyName)) return false;
      deleted.add(keyName);
      return true;
    },
    listVersions: async (keyName) => held.get(keyName) ?? [],
    putForeign(keyName, publicKey, tags = {}) {
      add(keyName, { type: 'RSA', operations: ['sign'], enabled: true, tags, publicKey });
    },
  };
}
