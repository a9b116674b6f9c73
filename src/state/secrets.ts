import { fromChunks, toChunks } from './chunks.ts';
import type { Encryption, Place } from './encryption.ts';
import { encodeForKey } from './key-encoding.ts';
import type { SecretChange, SecretEngineConfig, SecretRecord, SecretReference } from './secret-records.ts';
import { maxActions, startingWith, type Action, type Properties, type Table } from './table.ts';

/** A secret as of one read. */
export interface SecretState {
  reference: SecretReference;
  /** Absent once the secret was removed: what is left is the note of that. */
  record?: SecretRecord;
  /** Absent if the current version was destroyed, or if there is none. */
  currentValue?: string;
  lastChange: SecretChange;
  etag: string;
}

/** What a write does besides replacing the record. */
export interface SecretWrite {
  record: SecretRecord;
  change: SecretChange['kind'];
  /** JSON text of the version that the record now ends with. */
  newValue?: string;
  /** Versions whose values are to be forgotten. */
  forget?: readonly number[];
}

/**
 * Versioned secrets. One secret is one partition and every write one transaction guarded by the ETag that was read, with
 * the note of the change in it: a follower can be late, never blind.
 */
export interface SecretStore {
  /** One request; it brings the current value along. Undefined if there never was such a secret. */
  read(reference: SecretReference): Promise<SecretState | undefined>;
  /** JSON text of any version; undefined if there is none, or it was destroyed. */
  readValue(reference: SecretReference, version: number): Promise<string | undefined>;
  /** @param state as it was read. @returns false if somebody else wrote meanwhile */
  write(reference: SecretReference, state: SecretState | undefined, write: SecretWrite, time: Date): Promise<boolean>;
  /** Removes the secret; only the note of the change stays. @returns false if somebody else wrote meanwhile */
  remove(state: SecretState, time: Date): Promise<boolean>;
  /** Removes values that no version accounts for: what a write of very many versions could not take with it. */
  tidy(reference: SecretReference): Promise<void>;
  readConfig(mount: string): Promise<SecretEngineConfig>;
  writeConfig(mount: string, config: SecretEngineConfig): Promise<void>;
}

export interface SecretStoreOptions {
  table: Table;
  tableName: string;
  encryption: Encryption;
}

const headRow = 'head';
const configRow = 'config';
const valuePrefix = 'value|';
const valueRow = (version: number) => valuePrefix + String(version).padStart(10, '0');

/** One action for the head, one for a new value. */
const mostForgottenAtOnce = maxActions - 2;

const defaultConfig: SecretEngineConfig = { maxVersions: 0, casRequired: false, deleteVersionAfterSeconds: 0 };

export function createSecretStore({ table, tableName, encryption }: SecretStoreOptions): SecretStore {
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
    const { properties, etag } = head;
    const lastChange = {
      kind: properties.changeKind as SecretChange['kind'],
      time: properties.changeTime as Date,
      sequence: properties.changeSequence as number,
    };
    const sealedRecord = fromChunks('record', properties);
    if (sealedRecord === undefined) return { reference, lastChange, etag };
    const record = parseRecord(await open(place(reference, 'record', 0), sealedRecord));
    const sealedValue = fromChunks('current', properties);
    if (sealedValue === undefined) return { reference, record, lastChange, etag };
    const currentValue = await open(place(reference, 'value', record.currentVersion), sealedValue);
    return { reference, record, currentValue, lastChange, etag };
  }

  function headAction(
    state: SecretState | undefined,
    change: { kind: SecretChange['kind']; time: Date },
    content: Properties,
  ): Action {
    const properties = {
      ...content,
      changeKind: change.kind,
      changeTime: change.time,
      changeSequence: (state?.lastChange.sequence ?? 0) + 1,
    };
    return state === undefined
      ? { kind: 'insert', row: headRow, properties }
      : { kind: 'replace', row: headRow, etag: state.etag, properties };
  }

  async function tidy(reference: SecretReference): Promise<void> {
    const partition = partitionOf(reference);
    const state = await read(reference);
    const kept = new Set(
      state?.record?.versions.filter(({ destroyed }) => !destroyed).map(({ version }) => valueRow(version)),
    );
    const rows = (await table.query(partition, startingWith(valuePrefix))).filter(({ row }) => !kept.has(row));
    // One at a time and at the ETag that was read: a version written meanwhile under the same number stays.
    for (const { row, etag } of rows) await table.remove(partition, row, etag);
  }

  return {
    read,
    tidy,

    async readValue(reference, version) {
      const entity = await table.get(partitionOf(reference), valueRow(version));
      const sealed = entity && fromChunks('value', entity.properties);
      return sealed && open(place(reference, 'value', version), sealed);
    },

    async write(reference, state, { record, change, newValue, forget = [] }, time) {
      const sealedRecord = await seal(place(reference, 'record', 0), JSON.stringify(record));
      // The current value stands in the head too, so that reading it is one request.
      const value = newValue ?? (forget.includes(record.currentVersion) ? undefined : state?.currentValue);
      const sealedValue =
        value === undefined ? undefined : await seal(place(reference, 'value', record.currentVersion), value);
      const content = { ...toChunks('record', sealedRecord), ...(sealedValue && toChunks('current', sealedValue)) };
      const actions: Action[] = [
        headAction(state, { kind: change, time }, content),
        ...forget.slice(0, mostForgottenAtOnce).map((version): Action => ({ kind: 'remove', row: valueRow(version) })),
      ];
      if (newValue !== undefined && sealedValue !== undefined) {
        actions.push({
          kind: 'upsert',
          row: valueRow(record.currentVersion),
          properties: toChunks('value', sealedValue),
        });
      }
      const written = await table.transact(partitionOf(reference), actions);
      if (written && forget.length > mostForgottenAtOnce) await tidy(reference);
      return written;
    },

    async remove(state, time) {
      const { reference, record } = state;
      const values = record?.versions.filter(({ destroyed }) => !destroyed) ?? [];
      const removed = await table.transact(partitionOf(reference), [
        headAction(state, { kind: 'metadata-delete', time }, {}),
        ...values
          .slice(0, mostForgottenAtOnce)
          .map(({ version }): Action => ({ kind: 'remove', row: valueRow(version) })),
      ]);
      if (removed && values.length > mostForgottenAtOnce) await tidy(reference);
      return removed;
    },

    async readConfig(mount) {
      const entity = await table.get(configPartition(mount), configRow);
      return entity === undefined ? defaultConfig : (entity.properties as unknown as SecretEngineConfig);
    },

    async writeConfig(mount, { maxVersions, casRequired, deleteVersionAfterSeconds }) {
      const properties = { maxVersions, casRequired, deleteVersionAfterSeconds };
      await table.transact(configPartition(mount), [{ kind: 'upsert', row: configRow, properties }]);
    },
  };
}

const configPartition = (mount: string) => `config|${mount}`;

function partitionOf({ mount, path }: SecretReference): string {
  return `secret|${mount}|${encodeForKey(path)}`;
}

function parseRecord(text: string): SecretRecord {
  type Json = Omit<SecretRecord, 'createdTime' | 'updatedTime' | 'versions'> & {
    createdTime: string;
    updatedTime: string;
    versions: { version: number; createdTime: string; deletionTime?: string; destroyed: boolean }[];
  };
  const { createdTime, updatedTime, versions, ...rest } = JSON.parse(text) as Json;
  return {
    ...rest,
    createdTime: new Date(createdTime),
    updatedTime: new Date(updatedTime),
    versions: versions.map(({ version, createdTime: created, deletionTime, destroyed }) => ({
      version,
      createdTime: new Date(created),
      ...(deletionTime !== undefined && { deletionTime: new Date(deletionTime) }),
      destroyed,
    })),
  };
}
