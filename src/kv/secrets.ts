import { KeyfleetError } from '../errors.ts';
import { parseExactJson } from '../exact-json.ts';
import type { FolderIndex } from '../state/folders.ts';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { SecretEngineConfig, SecretRecord, SecretReference, SecretVersion } from '../state/secret-records.ts';
import type { SecretState, SecretStore } from '../state/secrets.ts';
import type { Decision } from './commit.ts';
import { isObject, mergePatch, type JsonObject } from './merge-patch.ts';
import type { Update } from './update.ts';
import {
  addVersion,
  deleteVersions,
  destroyVersions,
  findVersion,
  isGone,
  keptVersions,
  newRecord,
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
  /** Replaces what there is; null for none. */
  customMetadata?: Readonly<Record<string, string>> | null;
}

/**
 * The secrets of all mounts, with Vault's semantics. Every method throws KeyfleetError `invalid_request` for a path that
 * is too long.
 */
export interface Secrets {
  /** @param version 0 or less for the current one */
  read(reference: SecretReference, version: number): Promise<SecretReading>;
  /**
   * @param cas the version that must be the current one; undefined: any
   * @throws KeyfleetError `invalid_request` if it isn't, or must be given; `body_too_large`
   */
  write(reference: SecretReference, data: JsonObject, cas: number | undefined): Promise<VersionView>;
  /** A merge patch of the current version, with the same errors. */
  patch(reference: SecretReference, patch: JsonObject, cas: number | undefined): Promise<Patching>;
  /** @param versions undefined for the current one */
  delete(reference: SecretReference, versions?: readonly number[]): Promise<void>;
  undelete(reference: SecretReference, versions: readonly number[]): Promise<void>;
  destroy(reference: SecretReference, versions: readonly number[]): Promise<void>;
  readMetadata(reference: SecretReference): Promise<SecretRecord | undefined>;
  /** Makes the entry if there is none; does nothing if nothing was given. */
  writeMetadata(reference: SecretReference, fields: MetadataFields): Promise<void>;
  /** @returns false if there is no such secret */
  patchMetadata(reference: SecretReference, change: (record: SecretRecord) => MetadataFields): Promise<boolean>;
  deleteMetadata(reference: SecretReference): Promise<void>;
  /** @param folder '' for the root */
  list(mount: string, folder: string): Promise<string[]>;
}

/** Of a value's JSON text. */
const mostValueBytes = 512 * 1024;

export interface SecretsOptions {
  secrets: SecretStore;
  folders: FolderIndex;
  update: Update;
  now: () => Date;
}

export function createSecrets({ secrets, folders, update, now }: SecretsOptions): Secrets {
  function changeVersions(
    reference: SecretReference,
    kind: 'delete' | 'undelete' | 'destroy',
    change: (record: SecretRecord, time: Date) => Promise<Changed | undefined>,
  ): Promise<void> {
    return update(reference, async (state, time) => {
      const changed = state?.record && (await change(state.record, time));
      return { result: undefined, ...(changed && { write: { ...changed, kind } }) };
    });
  }

  async function readText(reference: SecretReference, state: SecretState, version: number) {
    if (version === state.record?.currentVersion) return state.currentValue;
    return secrets.readValue(reference, version);
  }

  return {
    async read(reference, wanted) {
      let missedAt: string | undefined;
      return repeatUntilWritten<SecretReading>(async () => {
        const state = await secrets.read(reference);
        if (state?.record === undefined) return { kind: 'absent' };
        const { record } = state;
        const version = findVersion(record, wanted > 0 ? wanted : record.currentVersion);
        if (version === undefined) return { kind: 'absent' };
        const view = viewOf(record, version);
        if (isGone(version, now())) return { kind: 'gone', version: view };
        const text = await readText(reference, state, version.version);
        if (text !== undefined) return { kind: 'present', version: view, data: parseValue(text) };
        // Destroyed since the record was read, or else lost.
        if (state.etag === missedAt) throw withoutValue(version.version);
        missedAt = state.etag;
        return undefined;
      });
    },

    async write(reference, data, cas) {
      const value = valueOf(data);
      return update(reference, async (state, time) => {
        const record = state?.record ?? newRecord(time);
        const config = await secrets.readConfig(reference.mount);
        checkCas(cas, record, config);
        return withVersion('version', record, config, value, time);
      });
    },

    patch: (reference, patch, cas) =>
      update<Patching>(reference, async (state, time) => {
        if (state?.record === undefined) return { result: { kind: 'absent' } };
        const { record, currentValue } = state;
        const current = findVersion(record, record.currentVersion);
        if (current === undefined) return { result: { kind: 'absent' } };
        const config = await secrets.readConfig(reference.mount);
        checkCas(cas, record, config);
        if (isGone(current, time)) return { result: { kind: 'gone', version: viewOf(record, current) } };
        if (currentValue === undefined) throw withoutValue(current.version);
        const merged = valueOf(mergePatch(parseValue(currentValue), patch));
        const { result, ...decision } = withVersion('patch', record, config, merged, time);
        return { ...decision, result: { kind: 'written', version: result } };
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
      if (Object.keys(fields).length === 0) return;
      await update(reference, async (state, time) => ({
        result: undefined,
        write: { record: { ...(state?.record ?? newRecord(time)), ...fields }, kind: 'metadata' },
      }));
    },

    patchMetadata: (reference, change) =>
      update(reference, async (state) => {
        const record = state?.record;
        if (record === undefined) return { result: false };
        const fields = change(record);
        if (Object.keys(fields).length === 0) return { result: true };
        return { result: true, write: { record: { ...record, ...fields }, kind: 'metadata' } };
      }),

    deleteMetadata: (reference) => update(reference, async (state) => removal(state)),

    list: (mount, folder) => folders.list(mount, folder),
  };
}

/** Removes a secret with all its values; does nothing if there is none. */
export function removal(state: SecretState | undefined): Decision<void> {
  if (state?.record === undefined) return { result: undefined };
  return {
    result: undefined,
    write: { record: undefined, kind: 'metadata-delete', forget: keptVersions(state.record) },
  };
}

function withVersion(
  kind: 'version' | 'patch',
  before: SecretRecord,
  config: SecretEngineConfig,
  newValue: string,
  time: Date,
): Decision<VersionView> {
  const { record, forget } = addVersion(before, config, time);
  const added = record.versions.at(-1);
  if (added === undefined) throw new KeyfleetError('internal', 'the new version of a secret is missing');
  return { write: { record, forget, newValue, kind }, result: viewOf(record, added) };
}

function viewOf({ customMetadata }: SecretRecord, version: SecretVersion): VersionView {
  return { ...version, customMetadata };
}

function checkCas(cas: number | undefined, record: SecretRecord, config: SecretEngineConfig): void {
  if (cas === undefined) {
    if (!record.casRequired && !config.casRequired) return;
    throw new KeyfleetError('invalid_request', 'check-and-set parameter required for this call');
  }
  if (cas !== record.currentVersion) {
    throw new KeyfleetError('invalid_request', 'check-and-set parameter did not match the current version');
  }
}

/** @throws KeyfleetError `body_too_large` */
function valueOf(data: JsonObject): string {
  const value = JSON.stringify(data);
  const bytes = Buffer.byteLength(value);
  if (bytes <= mostValueBytes) return value;
  throw new KeyfleetError('body_too_large', `data has ${bytes} bytes as JSON where ${mostValueBytes} are allowed`);
}

function parseValue(text: string): JsonObject {
  const data = parseExactJson(text);
  if (!isObject(data)) throw new KeyfleetError('internal', 'the stored value of a secret is not an object');
  return data;
}

function withoutValue(version: number): KeyfleetError {
  return new KeyfleetError('internal', `version ${version} of a secret has no value`);
}
