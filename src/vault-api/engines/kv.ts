import type { KeyValue } from '../../kv/index.ts';
import { subkeysOf } from '../../kv/merge-patch.ts';
import type { SecretReference } from '../../state/secret-records.ts';
import { defineRoute, type Engine, type EngineContext, type Reply, type Route } from '../engine.ts';
import { invalidRequest } from '../errors.ts';
import {
  readCas,
  readMaxVersions,
  readMetadataFields,
  readMetadataPatch,
  readSignedSeconds,
  readVersions,
} from './kv-fields.ts';
import {
  goDuration,
  invalidList,
  invalidPath,
  readingReply,
  recordData,
  rootRefusal,
  versionData,
} from './kv-replies.ts';

const version = { type: 'integer', description: 'Version to read; 0 or none for the current one.' } as const;

const dataFields = {
  data: { type: 'map', description: 'The secret: any JSON object.' },
  options: { type: 'map', description: 'cas: the version that must be the current one.' },
  version,
} as const;

const metadataFields = {
  max_versions: { type: 'integer', description: 'Versions to keep; 0 for what the engine says.' },
  cas_required: { type: 'boolean', description: 'Whether every write must name the current version.' },
  delete_version_after: { type: 'duration', description: 'How long after they were made versions are deleted.' },
  custom_metadata: { type: 'map', description: 'Text by name, for people and tools.' },
} as const;

/** Vault's versioned key/value engine: its paths and fields, and its bodies to the letter. */
export function createKeyValueEngine(keyValue: KeyValue): Engine {
  return {
    type: 'kv',
    aliases: { 'kv-v2': { version: '2' } },
    mountOptions(given) {
      if (given.version === '2') return { ...given };
      throw invalidRequest(
        'version 1 of the kv engine is not supported: enable kv-v2, or kv with the option version=2',
      );
    },
    // The first one that matches is taken.
    routes: [
      configRoute(keyValue),
      dataRoute(keyValue),
      ...versionsRoutes(keyValue),
      ...metadataRoutes(keyValue),
      subkeysRoute(keyValue),
      ...refusingRoutes(),
    ],
    removeAll: (mount) => keyValue.removeAll(mount.uuid),
  };
}

function configRoute({ config }: KeyValue): Route {
  return defineRoute({
    path: 'config',
    synopsis: 'Reads or sets what holds for every secret of the engine.',
    fields: {
      max_versions: { type: 'integer', description: 'Versions to keep; 0 for 10.' },
      cas_required: metadataFields.cas_required,
      delete_version_after: { type: 'string', description: 'Duration; 0 for none, negative for none at all.' },
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
      const deleteVersionAfterSeconds = readSignedSeconds(fields.delete_version_after);
      await config.write(mount.uuid, {
        ...(maxVersions !== undefined && { maxVersions }),
        ...(fields.cas_required !== undefined && { casRequired: fields.cas_required }),
        ...(deleteVersionAfterSeconds !== undefined && { deleteVersionAfterSeconds }),
      });
      return {};
    },
  });
}

function dataRoute({ secrets }: KeyValue): Route {
  return defineRoute({
    path: 'data/*path',
    synopsis: 'Reads, writes, patches or deletes a secret.',
    fields: dataFields,
    read: async (request) => readingReply(await secrets.read(referenceIn(request), request.fields.version ?? 0)),
    async write(request) {
      const { data, options } = request.fields;
      if (data === undefined) throw invalidRequest('no data provided');
      return { data: versionData(await secrets.write(referenceIn(request), data, readCas(options))) };
    },
    async patch(request) {
      const { data, options } = request.fields;
      if (data === undefined) throw invalidRequest('no data provided');
      const patched = await secrets.patch(referenceIn(request), data, readCas(options));
      switch (patched.kind) {
        case 'absent':
          return { notFound: 'empty' };
        case 'gone':
          return { data: versionData(patched.version), notFound: 'with-content' };
        case 'written':
          return { data: versionData(patched.version) };
      }
    },
    async delete(request) {
      await secrets.delete(referenceIn(request));
      return {};
    },
  });
}

function versionsRoutes({ secrets }: KeyValue): Route[] {
  const route = (
    name: 'delete' | 'undelete' | 'destroy',
    synopsis: string,
    missing: string,
    act: (reference: SecretReference, versions: number[]) => Promise<void>,
  ) =>
    defineRoute({
      path: `${name}/*path`,
      synopsis,
      fields: { versions: { type: 'list', description: 'Version numbers.' } },
      async write(request) {
        await act(referenceIn(request), readVersions(request.fields.versions, missing));
        return {};
      },
    });
  return [
    route(
      'delete',
      'Deletes versions of a secret; they can be brought back.',
      'No version number provided',
      (reference, versions) => secrets.delete(reference, versions),
    ),
    route(
      'undelete',
      'Brings deleted versions of a secret back.',
      'No version number provided',
      (reference, versions) => secrets.undelete(reference, versions),
    ),
    route('destroy', 'Destroys versions of a secret for good.', 'no version number provided', (reference, versions) =>
      secrets.destroy(reference, versions),
    ),
  ];
}

function metadataRoutes({ secrets, config }: KeyValue): Route[] {
  async function casWarning(mount: string, casRequired: boolean | undefined): Promise<Reply> {
    if (casRequired !== false || !(await config.read(mount)).casRequired) return {};
    return {
      warnings: ['"cas_required" set to false, but is mandated by backend config. This value will be ignored.'],
    };
  }

  return [
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
      async read(request) {
        const record = await secrets.readMetadata(referenceIn(request));
        return record && { data: recordData(record) };
      },
      list: async ({ mount, parameters }) => ({ keys: await secrets.list(mount.uuid, parameters.path) }),
      async write(request) {
        const { mount, fields } = request;
        await secrets.writeMetadata(referenceIn(request), readMetadataFields(fields));
        return casWarning(mount.uuid, fields.cas_required);
      },
      async patch(request) {
        const { mount, fields } = request;
        const found = await secrets.patchMetadata(referenceIn(request), (record) => readMetadataPatch(fields, record));
        return found ? casWarning(mount.uuid, fields.cas_required) : { notFound: 'empty' };
      },
      async delete(request) {
        await secrets.deleteMetadata(referenceIn(request));
        return {};
      },
    }),
  ];
}

function subkeysRoute({ secrets }: KeyValue): Route {
  return defineRoute({
    path: 'subkeys/*path',
    synopsis: 'Reads the shape of a secret without its values.',
    fields: { version, depth: { type: 'integer', description: 'How deep to look; 0 for all the way.' } },
    async read(request) {
      const { depth = 0 } = request.fields;
      const reading = await secrets.read(referenceIn(request), request.fields.version ?? 0);
      if (reading.kind === 'absent') return undefined;
      const metadata = versionData(reading.version);
      if (reading.kind === 'gone') return { data: { metadata, subkeys: null }, notFound: 'with-content' };
      return { data: { metadata, subkeys: subkeysOf(reading.data, depth) } };
    },
  });
}

const refusedAtRoot = { read: rootRefusal, write: rootRefusal, patch: rootRefusal, delete: rootRefusal };

/** Paths where nothing can be, the mount's own among them. */
function refusingRoutes(): Route[] {
  return [
    ...['data', 'delete', 'undelete', 'destroy'].map((path) =>
      defineRoute({ path, synopsis: 'Takes the path of a secret.', fields: {}, ...refusedAtRoot }),
    ),
    ...['', '*path'].map((path) =>
      defineRoute({
        path,
        synopsis: 'Nothing is here: secrets are below data/.',
        fields: {},
        read: async () => invalidPath('get'),
        list: async () => invalidList(),
        write: async () => invalidPath('put'),
        patch: async () => invalidPath('patch'),
        delete: async () => invalidPath('delete'),
      }),
    ),
  ];
}

function referenceIn({ mount, parameters }: EngineContext & { parameters: { path: string } }): SecretReference {
  return { mount: mount.uuid, path: parameters.path };
}
