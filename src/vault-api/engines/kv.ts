import type { KeyValue } from '../../kv/index.ts';
import { subkeysOf } from '../../kv/merge-patch.ts';
import type { SecretReading, VersionView } from '../../kv/secrets.ts';
import type { SecretRecord } from '../../state/secret-records.ts';
import { defineRoute, type Engine, type Reply, type Route } from '../engine.ts';
import { invalidRequest } from '../errors.ts';
import {
  goDuration,
  readCas,
  readDeleteVersionAfter,
  readMaxVersions,
  readMetadataFields,
  readVersions,
  versionData,
  versionTimes,
} from './kv-fields.ts';

const dataFields = {
  data: { type: 'map', description: 'The secret: any JSON object.' },
  options: { type: 'map', description: 'cas: the version that must be the current one.' },
  version: { type: 'integer', description: 'Version to read; 0 or none for the current one.' },
} as const;

const metadataFields = {
  max_versions: { type: 'integer', description: 'Versions to keep; 0 for what the engine says.' },
  cas_required: { type: 'boolean', description: 'Whether every write must name the current version.' },
  delete_version_after: { type: 'string', description: 'Duration after which new versions are deleted.' },
  custom_metadata: { type: 'map', description: 'Text by name, for people and tools.' },
} as const;

const versionsField = { versions: { type: 'list', description: 'Version numbers.' } } as const;

/** Vault's versioned key/value engine: its paths and fields, and its bodies to the letter. */
export function createKeyValueEngine({ secrets, config, removeAll }: KeyValue): Engine {
  const routes: Route[] = [
    defineRoute({
      path: 'config',
      synopsis: 'Reads or sets what holds for every secret of the engine.',
      fields: {
        max_versions: metadataFields.max_versions,
        cas_required: metadataFields.cas_required,
        delete_version_after: metadataFields.delete_version_after,
      },
      async read({ mount }) {
        const { casRequired, deleteVersionAfterSeconds, maxVersions } = await config.read(mount.uuid);
        return {
          data: {
            cas_required: casRequired,
            delete_version_after: goDuration(deleteVersionAfterSeconds),
            max_versions: maxVersions,
          },
        };
      },
      async write({ mount, fields }) {
        const maxVersions = readMaxVersions(fields.max_versions);
        const deleteVersionAfterSeconds = readDeleteVersionAfter(fields.delete_version_after);
        await config.write(mount.uuid, {
          ...(maxVersions !== undefined && { maxVersions }),
          ...(fields.cas_required !== undefined && { casRequired: fields.cas_required }),
          ...(deleteVersionAfterSeconds !== undefined && { deleteVersionAfterSeconds }),
        });
        return {};
      },
    }),

    defineRoute({
      path: 'data/*path',
      synopsis: 'Reads, writes, patches or deletes a secret.',
      fields: dataFields,
      async read({ mount, parameters, fields }) {
        return readingReply(await secrets.read({ mount: mount.uuid, path: parameters.path }, fields.version ?? 0));
      },
      async write({ mount, parameters, fields }) {
        const cas = readCas(fields.options);
        if (fields.data === undefined) throw invalidRequest('no data provided');
        const version = await secrets.write({ mount: mount.uuid, path: parameters.path }, fields.data, cas);
        return { data: viewData(version) };
      },
      async patch({ mount, parameters, fields }) {
        const cas = readCas(fields.options);
        if (fields.data === undefined) throw invalidRequest('no data provided');
        const patched = await secrets.patch({ mount: mount.uuid, path: parameters.path }, fields.data, cas);
        if (patched.kind === 'absent') return { notFound: 'empty' };
        return {
          data: viewData(patched.version),
          ...(patched.kind === 'gone' && { notFound: 'with-content' as const }),
        };
      },
      async delete({ mount, parameters }) {
        await secrets.delete({ mount: mount.uuid, path: parameters.path });
        return {};
      },
    }),

    versionsRoute('delete', 'Deletes versions of a secret; they can be brought back.', (reference, versions) =>
      secrets.delete(reference, versions),
    ),
    versionsRoute('undelete', 'Brings deleted versions of a secret back.', (reference, versions) =>
      secrets.undelete(reference, versions),
    ),
    versionsRoute('destroy', 'Destroys versions of a secret for good.', (reference, versions) =>
      secrets.destroy(reference, versions),
    ),

    defineRoute({
      path: 'metadata',
      synopsis: 'Lists the secrets and folders at the root.',
      fields: {},
      list: async ({ mount }) => ({ keys: await secrets.list(mount.uuid, '') }),
      ...refusedAtRoot,
    }),

    defineRoute({
      path: 'metadata/*path',
      synopsis: 'Reads, writes, patches or deletes what is known of a secret, or lists a folder.',
      fields: metadataFields,
      async read({ mount, parameters }) {
        const record = await secrets.readMetadata({ mount: mount.uuid, path: parameters.path });
        return record && { data: recordData(record) };
      },
      list: async ({ mount, parameters }) => ({ keys: await secrets.list(mount.uuid, parameters.path) }),
      async write({ mount, parameters, fields }) {
        await secrets.writeMetadata({ mount: mount.uuid, path: parameters.path }, readMetadataFields(fields));
        return casWarning(mount.uuid, fields.cas_required);
      },
      async patch({ mount, parameters, fields }) {
        const reference = { mount: mount.uuid, path: parameters.path };
        const found = await secrets.patchMetadata(reference, (record) => readMetadataFields(fields, record));
        return found ? casWarning(mount.uuid, fields.cas_required) : { notFound: 'empty' };
      },
      async delete({ mount, parameters }) {
        await secrets.deleteMetadata({ mount: mount.uuid, path: parameters.path });
        return {};
      },
    }),

    defineRoute({
      path: 'subkeys/*path',
      synopsis: 'Reads the shape of a secret without its values.',
      fields: {
        version: dataFields.version,
        depth: { type: 'integer', description: 'How deep to look; 0 for all the way.' },
      },
      async read({ mount, parameters, fields }) {
        const reading = await secrets.read({ mount: mount.uuid, path: parameters.path }, fields.version ?? 0);
        if (reading.kind === 'absent') return undefined;
        const metadata = viewData(reading.version);
        if (reading.kind === 'gone') return { data: { metadata, subkeys: null }, notFound: 'with-content' };
        return { data: { metadata, subkeys: subkeysOf(reading.data, Math.max(0, fields.depth ?? 0)) } };
      },
    }),

    ...['data', 'delete', 'undelete', 'destroy'].map((path) =>
      defineRoute({ path, synopsis: 'Takes the path of a secret.', fields: {}, ...refusedAtRoot }),
    ),

    defineRoute({
      path: '*path',
      synopsis: 'Nothing is here: secrets are below data/.',
      fields: {},
      read: async () => invalidPath('get'),
      list: async () => ({ keys: [], warnings: [invalidPathWarning('list')] }),
      write: async () => invalidPath('put'),
      patch: async () => invalidPath('patch'),
      delete: async () => invalidPath('delete'),
    }),
  ];

  async function casWarning(mount: string, casRequired: boolean | undefined): Promise<Reply> {
    if (casRequired !== false || !(await config.read(mount)).casRequired) return {};
    return {
      warnings: ['"cas_required" set to false, but is mandated by backend config. This value will be ignored.'],
    };
  }

  return {
    type: 'kv',
    aliases: { 'kv-v2': { version: '2' } },
    mountOptions(given) {
      if (given.version === '2') return { ...given };
      throw invalidRequest(
        'version 1 of the kv engine is not supported: enable kv-v2, or kv with the option version=2',
      );
    },
    routes,
    removeAll: (mount) => removeAll(mount.uuid),
  };
}

function versionsRoute(
  name: 'delete' | 'undelete' | 'destroy',
  synopsis: string,
  act: (reference: { mount: string; path: string }, versions: number[]) => Promise<void>,
): Route {
  return defineRoute({
    path: `${name}/*path`,
    synopsis,
    fields: versionsField,
    async write({ mount, parameters, fields }) {
      const missing = name === 'destroy' ? 'no version number provided' : 'No version number provided';
      await act({ mount: mount.uuid, path: parameters.path ?? '' }, readVersions(fields.versions, missing));
      return {};
    },
  });
}

async function rootRefusal(): Promise<Reply> {
  return {
    warnings: ['Non-listing operations on the root of a K/V v2 mount are not supported.'],
    notFound: 'with-content',
  };
}

const refusedAtRoot = { read: rootRefusal, write: rootRefusal, patch: rootRefusal, delete: rootRefusal };

function invalidPath(command: string): Reply {
  return { warnings: [invalidPathWarning(command)], notFound: 'with-content' };
}

function invalidPathWarning(command: string): string {
  return (
    'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. ' +
    `If using the Vault CLI, use 'vault kv ${command}' for this operation.`
  );
}

function readingReply(reading: SecretReading): Reply | undefined {
  switch (reading.kind) {
    case 'absent':
      return undefined;
    case 'gone':
      return { data: { data: null, metadata: viewData(reading.version) }, notFound: 'with-content' };
    case 'present':
      return { data: { data: reading.data, metadata: viewData(reading.version) } };
  }
}

function viewData({ customMetadata, ...version }: VersionView): Record<string, unknown> {
  return versionData(version, customMetadata);
}

function recordData(record: SecretRecord): Record<string, unknown> {
  return {
    cas_required: record.casRequired,
    created_time: record.createdTime.toISOString(),
    current_version: record.currentVersion,
    custom_metadata: record.customMetadata,
    delete_version_after: goDuration(record.deleteVersionAfterSeconds),
    max_versions: record.maxVersions,
    oldest_version: record.oldestVersion,
    updated_time: record.updatedTime.toISOString(),
    versions: Object.fromEntries(record.versions.map((version) => [String(version.version), versionTimes(version)])),
  };
}
