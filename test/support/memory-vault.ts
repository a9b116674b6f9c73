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
import { tooLate } from '../../src/key-vault/deadlines.ts';
import type { Deadline, KeyItem, TargetVault, VersionAttributes } from '../../src/key-vault/target-vault.ts';
import type { VaultKey } from '../../src/key-vault/transformations.ts';

export interface HeldVersion extends VaultKey {
  createdTime: Date;
  /** Set for key exchange keys alone. */
  privateKey?: KeyObject;
}

/** Twin of a Key Vault, behind the narrow interface that the reconciler sees. */
export interface MemoryVault extends TargetVault {
  /** Live keys by name, versions in the order in which they were made. */
  readonly held: ReadonlyMap<string, readonly HeldVersion[]>;
  /** What somebody else does there. */
  putForeign(keyName: string, publicKey: KeyObject, tags?: Readonly<Record<string, string>>): void;
  /** What a person does to a version; the vault notes the time, as with every change. */
  change(keyName: string, version: string, changes: Partial<VersionAttributes>): void;
  /** Deletes for good. */
  purge(keyName: string): void;
}

const pageSize = 25;

/** @param exchangeKey private key that every key exchange key made here gets: making one takes long */
export function createMemoryVault(name: string, exchangeKey: KeyObject, now = () => new Date()): MemoryVault {
  const held = new Map<string, HeldVersion[]>();
  const deleted = new Map<string, HeldVersion[]>();
  const wholeSeconds = () => new Date(Math.floor(now().getTime() / 1000) * 1000);

  function add(
    keyName: string,
    version: Omit<HeldVersion, 'id' | 'version' | 'createdTime' | 'updatedTime'>,
  ): HeldVersion {
    if (deleted.has(keyName)) throw new AzureFailure('conflict', `${keyName} is deleted but recoverable`);
    const id = randomBytes(16).toString('hex');
    const times = { createdTime: wholeSeconds(), updatedTime: wholeSeconds() };
    const added = { ...version, ...times, version: id, id: `https://${name}/keys/${keyName}/${id}` };
    held.set(keyName, [...(held.get(keyName) ?? []), added]);
    return { ...added };
  }

  function find(keyName: string, version: string): HeldVersion | undefined {
    return held.get(keyName)?.find((entry) => entry.version === version);
  }

  function change(keyName: string, version: string, changes: Partial<VersionAttributes>): HeldVersion {
    const found = find(keyName, version);
    if (found === undefined) throw new AzureFailure('absent', 'there is no such key');
    Object.assign(found, changes, { updatedTime: wholeSeconds() });
    return { ...found };
  }

  function move(keyName: string, from: Map<string, HeldVersion[]>, to: Map<string, HeldVersion[]>): boolean {
    const versions = from.get(keyName);
    if (versions === undefined) return false;
    from.delete(keyName);
    to.set(keyName, versions);
    return true;
  }

  const copy = (version: HeldVersion | undefined): HeldVersion | undefined => version && { ...version };

  function toItem(keyName: string, versions: readonly HeldVersion[]): KeyItem[] {
    const newest = versions.at(-1);
    if (newest === undefined) return [];
    const { enabled, tags, updatedTime } = newest;
    return [{ name: keyName, enabled, tags, updatedTime }];
  }

  function checkTime({ deadline }: Deadline): void {
    if (deadline <= now()) throw tooLate();
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
    getKey: async (keyName) => copy(held.get(keyName)?.at(-1)),
    getKeyVersion: async (keyName, version) => copy(find(keyName, version)),
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
    async updateVersion(keyName, version, { deadline, ...attributes }) {
      checkTime({ deadline });
      return change(keyName, version, attributes);
    },
    async deleteKey(keyName, options) {
      checkTime(options);
      const newest = held.get(keyName)?.at(-1);
      return move(keyName, held, deleted) ? copy(newest) : undefined;
    },
    listVersions: async (keyName) => (held.get(keyName) ?? []).map((version) => ({ ...version })),
    async *listKeys() {
      const items = [...held].flatMap(([keyName, versions]) => toItem(keyName, versions));
      for (let start = 0; start < items.length; start += pageSize) yield items.slice(start, start + pageSize);
    },
    async getDeletedKey(keyName) {
      const newest = deleted.get(keyName)?.at(-1);
      return newest && { tags: newest.tags };
    },
    async recoverKey(keyName, options) {
      checkTime(options);
      return move(keyName, deleted, held);
    },
    putForeign(keyName, publicKey, tags = {}) {
      add(keyName, { type: 'RSA', operations: ['sign'], enabled: true, tags, publicKey });
    },
    change: (keyName, version, changes) => void change(keyName, version, changes),
    purge: (keyName) => void deleted.delete(keyName),
  };
}
