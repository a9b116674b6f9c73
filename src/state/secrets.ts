import { fromChunks, toChunks } from './chunks.ts';
import type { Encryption, Place } from './encryption.ts';
import { encodePathForKey } from './key-encoding.ts';
import { repeatUntilWritten } from './repeat.ts';
import {
  parseRecord,
  type SecretChange,
  type SecretEngineConfig,
  type SecretRecord,
  type SecretReference,
} from './secret-records.ts';
import { maxActions, type Action, type Entity, type Properties, type Table } from './table.ts';

/** A secret as of one read. */
export interface SecretState {
  /** Absent once the secret was removed: what is left is the note of that. */
  record?: SecretRecord;
  /** JSON text. Absent if the current version was destroyed, or if there is none. */
  currentValue?: string;
  lastChange: SecretChange;
  etag: string;
}

export interface SecretWrite {
  /** Undefined removes the secret; only the note of the change stays. */
  record: SecretRecord | undefined;
  change: Omit<SecretChange, 'sequence'>;
  /** JSON text of the version that the record now ends with. */
  newValue?: string;
  /** Versions that have values and lose them; at most {@link mostForgottenAtOnce}. */
  forget?: readonly number[];
}

/**
 * Versioned secrets. One secret is one partition and every write one transaction guarded by the ETag that was read, with
 * the note of the change in it: a follower can be late, never blind. Every method throws KeyfleetError `invalid_request`
 * for a path that is too long.
 */
export interface SecretStore {
  /** One request; it brings the current value along. Undefined if there never was such a secret. */
  read(reference: SecretReference): Promise<SecretState | undefined>;
  /** JSON text of any version; undefined if there is none, or it was destroyed. */
  readValue(reference: SecretReference, version: number): Promise<string | undefined>;
  /** @param state as it was read. @returns false if somebody else wrote meanwhile */
  write(reference: SecretReference, state: SecretState | undefined, write: SecretWrite): Promise<boolean>;
  readConfig(mount: string): Promise<SecretEngineConfig>;
  changeConfig(mount: string, fields: Partial<SecretEngineConfig>): Promise<void>;
}

export interface SecretStoreOptions {
  table: Table;
  tableName: string;
  encryption: Encryption;
}

const headRow = 'head';
const configRow = 'config';
const valueRow = (version: number) => `value|${String(version).padStart(10, '0')}`;

/** How many values one write can forget: the transaction also holds the head and a new value. */
export const mostForgottenAtOnce = maxActions - 2;

export function createSecretStore({ table, tableName, encryption }: SecretStoreOptions): SecretStore {
  /** A value is bound to its version and not to its row: the current one stands in two. */
  const place = (reference: SecretReference, field: 'record' | 'value', version: number): Place => ({
    table: tableName,
    partition: partitionOf(reference),
    row: field,
    field,
    version,
  });

  async function seal(at: Place, text: string): Promise<Buffer> {
    const plaintext = Buffer.from(text);
    try {
      return await encryption.seal(at, plaintext);
    } finally {
      plaintext.fill(0);
    }
  }

  async function open(at: Place, sealed: Uint8Array): Promise<string> {
    const plaintext = await encryption.open(at, sealed);
    try {
      return plaintext.toString();
    } finally {
      plaintext.fill(0);
    }
  }

  async function read(reference: SecretReference): Promise<SecretState | undefined> {
    const head = await table.get(partitionOf(reference), headRow);
    if (head === undefined) return undefined;
    const state = { lastChange: toChange(head), etag: head.etag };
    const sealedRecord = fromChunks('record', head.properties);
    if (sealedRecord === undefined) return state;
    const record = parseRecord(await open(place(reference, 'record', 0), sealedRecord));
    const sealedValue = fromChunks('current', head.properties);
    if (sealedValue === undefined) return { ...state, record };
    const currentValue = await open(place(reference, 'value', record.currentVersion), sealedValue);
    return { ...state, record, currentValue };
  }

  async function readConfigEntity(mount: string): Promise<{ config: SecretEngineConfig; etag: string | undefined }> {
    const entity = await table.get(configPartition(mount), configRow);
    if (entity !== undefined) {
      return { config: JSON.parse(entity.properties.config as string) as SecretEngineConfig, etag: entity.etag };
    }
    return { config: { maxVersions: 0, casRequired: false, deleteVersionAfterSeconds: 0 }, etag: undefined };
  }

  return {
    read,

    async readValue(reference, version) {
      const entity = await table.get(partitionOf(reference), valueRow(version));
      const sealed = entity && fromChunks('value', entity.properties);
      return sealed && open(place(reference, 'value', version), sealed);
    },

    async write(reference, state, { record, change, newValue, forget = [] }) {
      const content: Properties = {};
      const actions = forget.map((version): Action => ({ kind: 'remove', row: valueRow(version) }));
      if (record !== undefined) {
        const sealedRecord = await seal(place(reference, 'record', 0), JSON.stringify(record));
        Object.assign(content, toChunks('record', sealedRecord));
        const value = newValue ?? (forget.includes(record.currentVersion) ? undefined : state?.currentValue);
        if (value !== undefined) {
          const sealedValue = await seal(place(reference, 'value', record.currentVersion), value);
          // The current value stands in the head too, so that reading it is one request.
          Object.assign(content, toChunks('current', sealedValue));
          const row = valueRow(record.currentVersion);
          if (value === newValue) actions.push({ kind: 'upsert', row, properties: toChunks('value', sealedValue) });
        }
      }
      return table.transact(partitionOf(reference), [headAction(state, change, content), ...actions]);
    },

    readConfig: async (mount) => (await readConfigEntity(mount)).config,

    async changeConfig(mount, fields) {
      await repeatUntilWritten(async () => {
        const { config, etag } = await readConfigEntity(mount);
        const properties = { config: JSON.stringify({ ...config, ...fields }) };
        if (properties.config === JSON.stringify(config)) return true;
        const written = await table.transact(configPartition(mount), [
          etag === undefined
            ? { kind: 'insert', row: configRow, properties }
            : { kind: 'replace', row: configRow, etag, properties },
        ]);
        return written ? true : undefined;
      });
    },
  };
}

function headAction(
  state: SecretState | undefined,
  { kind, time, id }: Omit<SecretChange, 'sequence'>,
  content: Properties,
): Action {
  const changeSequence = (state?.lastChange.sequence ?? 0) + 1;
  const properties = { ...content, changeKind: kind, changeTime: time, changeId: id, changeSequence };
  return state === undefined
    ? { kind: 'insert', row: headRow, properties }
    : { kind: 'replace', row: headRow, etag: state.etag, properties };
}

function toChange({ properties }: Entity): SecretChange {
  return {
    kind: properties.changeKind as SecretChange['kind'],
    time: properties.changeTime as Date,
    id: properties.changeId as string,
    sequence: properties.changeSequence as number,
  };
}

const configPartition = (mount: string) => `config|${mount}`;

function partitionOf({ mount, path }: SecretReference): string {
  return `secret|${mount}|${encodePathForKey(path)}`;
}
