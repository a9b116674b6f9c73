import fc from 'fast-check';
import { isKeyfleetError } from '../../../src/errors.ts';
import { parseExactJson } from '../../../src/exact-json.ts';
import type { MetadataFields } from '../../../src/kv/secrets.ts';
import type { JsonObject } from '../../../src/kv/merge-patch.ts';
import type { Model, ModelAnswer, ModelOperation, ModelSettings } from './model.ts';
import { at, mount, type House } from './world.ts';

/** Secrets that share folders, and one that is named as a folder. */
export const paths = ['a', 'a/b', 'a/b/c', 'd/e'];

/** Does what the model is told to have done. */
export async function perform(house: House, operation: ModelOperation): Promise<ModelAnswer> {
  const { secrets, config } = house;
  try {
    switch (operation.kind) {
      case 'put': {
        const { version } = await secrets.write(at(operation.path), asSent(operation.data), operation.cas);
        return { version };
      }
      case 'patch': {
        const patched = await secrets.patch(at(operation.path), asSent(operation.data), operation.cas);
        if (patched.kind === 'absent') return 'absent';
        const { version } = patched.version;
        return patched.kind === 'gone' ? { gone: version } : { version };
      }
      case 'delete':
        await secrets.delete(at(operation.path));
        return 'done';
      case 'delete-versions':
        await secrets.delete(at(operation.path), operation.versions);
        return 'done';
      case 'undelete':
        await secrets.undelete(at(operation.path), operation.versions);
        return 'done';
      case 'destroy':
        await secrets.destroy(at(operation.path), operation.versions);
        return 'done';
      case 'metadata':
        await secrets.writeMetadata(at(operation.path), fieldsOf(operation.settings));
        return 'done';
      case 'patch-metadata': {
        const found = await secrets.patchMetadata(at(operation.path), () => fieldsOf(operation.settings));
        return found ? 'done' : 'absent';
      }
      case 'remove':
        await secrets.deleteMetadata(at(operation.path));
        return 'done';
      case 'configure':
        await config.write(mount, fieldsOf(operation.settings));
        return 'done';
      case 'remove-all':
        await house.removeAll(mount);
        return 'done';
    }
  } catch (error) {
    if (!isKeyfleetError(error, 'invalid_request')) throw error;
    if (error.message.endsWith('required for this call')) return 'cas required';
    if (error.message.endsWith('did not match the current version')) return 'cas mismatch';
    throw error;
  }
}

/** What a secret looks like from outside, in words that model and engine share. */
export async function seen(house: House, path: string): Promise<unknown> {
  const record = await house.secrets.readMetadata(at(path));
  const highest = (record?.currentVersion ?? 0) + 1;
  const readings: unknown[] = [];
  for (let version = 0; version <= highest; version++) {
    const reading = await house.secrets.read(at(path), version);
    readings.push(reading.kind === 'present' ? JSON.stringify(reading.data) : reading.kind);
  }
  if (record === undefined) return { readings };
  const { versions, createdTime, updatedTime, deleteVersionAfterSeconds, customMetadata, ...rest } = record;
  return {
    readings,
    ...rest,
    createdTime: createdTime.getTime(),
    updatedTime: updatedTime.getTime(),
    deleteVersionAfterSeconds,
    customMetadata,
    versions: versions.map(({ version, createdTime: created, deletionTime, destroyed }) => [
      version,
      created.getTime(),
      deletionTime?.getTime(),
      destroyed,
    ]),
  };
}

export function expected(model: Model, path: string, now: number): unknown {
  const secret = model.secrets.get(path);
  const readings: unknown[] = [];
  for (let version = 0; version <= (secret?.current ?? 0) + 1; version++) {
    const reading = model.read(path, version, now);
    readings.push(typeof reading === 'string' ? reading : 'gone' in reading ? 'gone' : reading.value);
  }
  if (secret === undefined) return { readings };
  return {
    readings,
    currentVersion: secret.current,
    oldestVersion: secret.oldest,
    maxVersions: secret.maxVersions,
    casRequired: secret.casRequired,
    createdTime: secret.created,
    updatedTime: secret.updated,
    deleteVersionAfterSeconds: secret.deleteAfterSeconds,
    customMetadata: secret.custom,
    versions: [...secret.versions].map(([number, { created, ends, value }]) => [
      number,
      created,
      ends,
      value === undefined,
    ]),
  };
}

function asSent(data: Record<string, unknown>): JsonObject {
  return parseExactJson(JSON.stringify(data)) as JsonObject;
}

function fieldsOf({ maxVersions, casRequired, deleteAfterSeconds, custom }: ModelSettings): MetadataFields {
  return {
    ...(maxVersions !== undefined && { maxVersions }),
    ...(casRequired !== undefined && { casRequired }),
    ...(deleteAfterSeconds !== undefined && { deleteVersionAfterSeconds: deleteAfterSeconds }),
    ...(custom !== undefined && { customMetadata: custom }),
  };
}

const path = fc.constantFrom(...paths);
const versions = fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 3 });
const data = fc.dictionary(
  fc.constantFrom('x', 'y', 'z'),
  fc.oneof(
    fc.nat(99),
    fc.string({ maxLength: 5 }),
    fc.constant(null),
    fc.dictionary(fc.constantFrom('p', 'q'), fc.oneof(fc.nat(9), fc.constant(null)), { maxKeys: 2 }),
  ),
  { maxKeys: 3 },
);
const cas = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: fc.nat(4) });
const maxVersions = fc.constantFrom(0, 1, 2, 4);
const casRequired = fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });
const settings = fc.record(
  {
    maxVersions,
    casRequired,
    deleteAfterSeconds: fc.constantFrom(0, 30, 90, 3600),
    custom: fc.constantFrom(null, { team: 'blue' }, { team: 'red', tier: '1' }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<ModelSettings>;
const engineSettings = fc.record(
  { maxVersions, casRequired, deleteAfterSeconds: fc.constantFrom(-1, 0, 45, 3600) },
  { requiredKeys: [] },
) as fc.Arbitrary<Omit<ModelSettings, 'custom'>>;

const of = <Kind extends ModelOperation['kind']>(...kinds: Kind[]) => fc.constantFrom(...kinds);

/** One request of any kind. */
export const operation: fc.Arbitrary<ModelOperation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: of('put'), path, data, cas }) },
  { weight: 3, arbitrary: fc.record({ kind: of('patch'), path, data, cas }) },
  { weight: 2, arbitrary: fc.record({ kind: of('delete'), path }) },
  { weight: 5, arbitrary: fc.record({ kind: of('delete-versions', 'undelete', 'destroy'), path, versions }) },
  { weight: 3, arbitrary: fc.record({ kind: of('metadata', 'patch-metadata'), path, settings }) },
  { weight: 2, arbitrary: fc.record({ kind: of('remove'), path }) },
  { weight: 1, arbitrary: fc.record({ kind: of('configure'), settings: engineSettings }) },
);
