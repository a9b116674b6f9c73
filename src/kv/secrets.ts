import { KeyfleetError } from '../errors.ts';
import { parseExactJson } from '../exact-json.ts';
import { graceTime } from '../reconcile/intents.ts';
import type { FolderIndex } from '../state/folders.ts';
import type { IntentStore } from '../state/intents.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { SecretRecord, SecretReference, SecretVersion } from '../state/secret-records.ts';
import type { SecretState, SecretStore, SecretWrite } from '../state/secrets.ts';
import { isObject, mergePatch, type JsonObject } from './merge-patch.ts';
import {
  addVersion,
  deleteVersions,
  destroyVersions,
  findVersion,
  isGone,
  newRecord,
  nextDeletion,
  undeleteVersions,
  type Changed,
} from './versions.ts';

/** A version with what Vault shows of it. */
export interface VersionView extends SecretVersion {
  customMetadata: Readonly<Record<string, string>> | null;
}

/** `gone`: the version is known, but deleted or destroyed. */
export type SecretReading =
  | { kind: 'absent' }
  | { kind: 'gone'; version: VersionView }
  | { kind: 'present'; version: VersionView; data: JsonObject };

export type Patching = Exclude<SecretReading, { kind: 'present' }> | { kind: 'written'; version: VersionView };

/** Metadata that a write may hold; absent fields weren't given. */
export interface MetadataFields {
  maxVersions?: number;
  casRequired?: boolean;
  deleteVersionAfterSeconds?: number;
  /** Replaces what there is. */
  customMetadata?: Readonly<Record<string, string>> | null;
}

export interface Secrets {
  /** @param version 0 for the current one */
  read(reference: SecretReference, version: number): Promise<SecretReading>;
  /** @param cas the version that must be the current one; undefined: any */
  write(reference: SecretReference, data: JsonObject, cas: number | undefined): Promise<VersionView>;
  patch(reference: SecretReference, patch: JsonObject, cas: number | undefined): Promise<Patching>;
  /** @param versions undefined for the current one */
  delete(reference: SecretReference, versions?: readonly number[]): Promise<void>;
  undelete(reference: SecretReference, versions: readonly number[]): Promise<void>;
  destroy(reference: SecretReference, versions: readonly number[]): Promise<void>;
  readMetadata(reference: SecretReference): Promise<SecretRecord | undefined>;
  /** Makes the entry if there is none. */
  writeMetadata(reference: SecretReference, fields: MetadataFields): Promise<void>;
  /** @returns false if there is no such secret */
  patchMetadata(reference: SecretReference, change: (record: SecretRecord) => MetadataFields): Promise<boolean>;
  deleteMetadata(reference: SecretReference): Promise<void>;
  /** @param folder '' for the root */
  list(mount: string, folder: string): Promise<string[]>;
}

export interface SecretsOptions {
  secrets: SecretStore;
  folders: FolderIndex;
  intents: IntentStore;
  now: () => Date;
}

/** Of a value's JSON text. */
const mostValueBytes = 512 * 1024;
/** Keeps a path, encoded, within what Table Storage takes as a key. */
const longestEncodedPath = 400;

export function createSecrets({ secrets, folders, intents, now }: SecretsOptions): Secrets {
  /** Reads, lets `change` decide, and writes; again for as long as somebody else's write comes first. */
  function update<T>(
    reference: SecretReference,
    change: (state: SecretState | undefined, time: Date) => Promise<{ write?: SecretWrite; result: T }>,
  ): Promise<T> {
    return repeatUntilWritten(async () => {
      const state = await secrets.read(reference);
      const time = now();
      const { write, result } = await change(state, time);
      if (write === undefined) return { result };
      if (!(await put(reference, state, write, time))) return undefined;
      return { result };
    }).then(({ result }) => result);
  }

  async function put(
    reference: SecretReference,
    state: SecretState | undefined,
    write: SecretWrite,
    time: Date,
  ): Promise<boolean> {
    const isNew = state?.record === undefined;
    const deletesAt = nextDeletion(write.record, time);
    const stamp = isNew || deletesAt !== undefined ? await announce(reference, deletesAt) : '';
    if (!(await secrets.write(reference, state, write, time))) return false;
    if (isNew) await folders.add(reference);
    if (isNew && deletesAt === undefined) await settle(reference, stamp);
    return true;
  }

  /** The sweep looks at it when a version's time is up, or in a minute if this process doesn't live to finish. */
  async function announce(reference: SecretReference, deletesAt: Date | undefined): Promise<string> {
    const soon = graceTime(now());
    const dueTime = deletesAt === undefined || deletesAt < soon ? soon : deletesAt;
    return intents.put({ kind: 'secret', ...reference }, { dueTime, attempts: 0 });
  }

  async function settle(reference: SecretReference, stamp: string): Promise<void> {
    const intent = await intents.read({ kind: 'secret', ...reference });
    if (intent?.stamp === stamp) await intents.remove(intent);
  }

  async function writeVersion(
    reference: SecretReference,
    state: SecretState | undefined,
    data: JsonObject,
    cas: number | undefined,
    time: Date,
  ): Promise<{ write: SecretWrite; result: VersionView }> {
    const record = state?.record ?? newRecord(time);
    const config = await secrets.readConfig(reference.mount);
    checkCas(cas, record, record.casRequired || config.casRequired);
    const newValue = JSON.stringify(data);
    checkSize(newValue);
    const changed = addVersion(record, config, time);
    const result = viewOf(changed.record, changed.record.currentVersion);
    return { write: { ...changed, change: 'version', newValue }, result };
  }

  async function readData({ reference, record, currentValue }: SecretState, version: number): Promise<JsonObject> {
    const text = version === record?.currentVersion ? currentValue : await secrets.readValue(reference, version);
    const data: unknown = text === undefined ? undefined : parseExactJson(text);
    if (!isObject(data)) throw new KeyfleetError('internal', `version ${version} of a secret has no value`);
    return data;
  }

  async function read(state: SecretState | undefined, wanted: number): Promise<SecretReading> {
    if (state?.record === undefined) return { kind: 'absent' };
    const { record } = state;
    const version = findVersion(record, wanted === 0 ? record.currentVersion : wanted);
    if (version === undefined) return { kind: 'absent' };
    const view = viewOf(record, version.version);
    if (isGone(version, now())) return { kind: 'gone', version: view };
    return { kind: 'present', version: view, data: await readData(state, version.version) };
  }

  /** Does nothing, and notes nothing, where `change` finds nothing to change. */
  function changeVersions(
    reference: SecretReference,
    kind: 'delete' | 'undelete' | 'destroy',
    change: (record: SecretRecord, time: Date) => Promise<Changed | undefined>,
  ): Promise<void> {
    return update(reference, async (state, time) => {
      const changed = state?.record && (await change(state.record, time));
      return { result: undefined, ...(changed && { write: { ...changed, change: kind } }) };
    });
  }

  return {
    read: async (reference, version) => read(await secrets.read(reference), version),

    async write(reference, data, cas) {
      checkPath(reference.path);
      return update(reference, (state, time) => writeVersion(reference, state, data, cas, time));
    },

    patch: (reference, patch, cas) =>
      update<Patching>(reference, async (state, time) => {
        const current = await read(state, 0);
        if (current.kind !== 'present') return { result: current };
        const merged = mergePatch(current.data, patch);
        const { write, result } = await writeVersion(reference, state, merged, cas, time);
        return { write, result: { kind: 'written', version: result } };
      }),

    delete: (reference, versions) =>
      changeVersions(reference, 'delete', async (record, time) =>
        deleteVersions(record, versions ?? [record.currentVersion], time),
      ),

    undelete: (reference, versions) =>
      changeVersions(reference, 'undelete', async (record, time) =>
        undeleteVersions(record, versions, await secrets.readConfig(reference.mount), time),
      ),

    destroy: (reference, versions) =>
      changeVersions(reference, 'destroy', async (record) => destroyVersions(record, versions)),

    readMetadata: async (reference) => (await secrets.read(reference))?.record,

    async writeMetadata(reference, fields) {
      checkPath(reference.path);
      await update(reference, async (state, time) => ({
        result: undefined,
        write: { record: withMetadata(state?.record ?? newRecord(time), fields, time), change: 'metadata' },
      }));
    },

    patchMetadata: (reference, change) =>
      update(reference, async (state, time) => {
        const record = state?.record;
        if (record === undefined) return { result: false };
        return { result: true, write: { record: withMetadata(record, change(record), time), change: 'metadata' } };
      }),

    async deleteMetadata(reference) {
      await repeatUntilWritten(async () => {
        const state = await secrets.read(reference);
        if (state?.record === undefined) return true;
        const stamp = await announce(reference, undefined);
        if (!(await secrets.remove(state, now()))) return undefined;
        await folders.remove(reference);
        await settle(reference, stamp);
        return true;
      });
    },

    list: (mount, folder) => folders.list(mount, folder),
  };
}

function withMetadata(record: SecretRecord, fields: MetadataFields, time: Date): SecretRecord {
  return { ...record, ...fields, updatedTime: time };
}

function viewOf(record: SecretRecord, version: number): VersionView {
  const found = findVersion(record, version);
  if (found === undefined) throw new KeyfleetError('internal', `version ${version} of a secret is missing`);
  return { ...found, customMetadata: record.customMetadata };
}

function checkCas(cas: number | undefined, { currentVersion }: SecretRecord, required: boolean): void {
  if (cas === undefined) {
    if (required) throw new KeyfleetError('invalid_request', 'check-and-set parameter required for this call');
  } else if (cas !== currentVersion) {
    throw new KeyfleetError('invalid_request', 'check-and-set parameter did not match the current version');
  }
}

function checkSize(value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes <= mostValueBytes) return;
  throw new KeyfleetError('body_too_large', `data has ${bytes} bytes as JSON where ${mostValueBytes} are allowed`);
}

function checkPath(path: string): void {
  if (encodeURIComponent(path).length <= longestEncodedPath) return;
  throw new KeyfleetError(
    'invalid_request',
    `path is too long: at most ${longestEncodedPath} characters, percent-encoded`,
  );
}
