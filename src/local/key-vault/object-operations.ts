import { z } from 'zod';
import { badParameter } from './errors.ts';
import { parseBody } from './fields.ts';
import type { ObjectKind } from './object-kind.ts';
import type { ObjectStore, StoredObject, StoredVersion } from './object-store.ts';
import { ok, type OperationRequest, type Reply } from './operation.ts';
import { listPage } from './pages.ts';
import type { Vault } from './vault.ts';

/** Where an answer is given: its ids are made of this. */
export type Place = Pick<OperationRequest, 'vault' | 'authority'>;

/** How one kind of object shows itself. */
export interface ObjectView<Version extends StoredVersion> {
  kind: ObjectKind;
  storeOf: (vault: Vault) => ObjectStore<Version>;
  /** Without what only a get of its own may show. `id` is that of the version. */
  bundle(place: Place, id: string, version: Version): object;
  /** An item of a list; `id` has a version in lists of versions only. */
  item(place: Place, id: string, version: Version): object;
  /** @throws KeyVaultError 400 for what this vault can't hold */
  assertHoldable(vault: Vault, object: StoredObject<Version>): void;
}

const maximumBackupVersions = 500;
const restoreBody = z.object({ value: z.string() });

export const baseIdOf = ({ kind }: { kind: ObjectKind }, { authority }: Place, name: string): string =>
  `https://${authority}/${kind.collection}/${name}`;

/** What keys and secrets do alike. */
export function objectOperations<Version extends StoredVersion>(view: ObjectView<Version>) {
  const { kind, storeOf } = view;

  const bundleOf = (place: Place, { name, newest }: StoredObject<Version>): object =>
    view.bundle(place, `${baseIdOf(view, place, name)}/${newest.version}`, newest);

  const itemOf = (place: Place, { name, newest }: StoredObject<Version>): object =>
    view.item(place, baseIdOf(view, place, name), newest);

  const deletionOf = ({ authority }: Place, { name, deletion }: StoredObject<Version>): object => ({
    recoveryId: `https://${authority}/${kind.deletedCollection}/${name}`,
    deletedDate: Math.floor((deletion?.deletedAt ?? 0) / 1000),
    scheduledPurgeDate: Math.floor((deletion?.purgeAt ?? 0) / 1000),
  });

  const deletedBundleOf = (place: Place, object: StoredObject<Version>): object => ({
    ...deletionOf(place, object),
    ...bundleOf(place, object),
  });

  return {
    list: (request: OperationRequest): Reply => {
      const store = storeOf(request.vault);
      const read = (from: string, count: number) => store.listLive(from, count);
      return listPage(request, kind.collection, read, (object) => itemOf(request, object));
    },

    listDeleted: (request: OperationRequest): Reply => {
      const store = storeOf(request.vault);
      const read = (from: string, count: number) => store.listDeleted(from, count);
      const deletedItemOf = (object: StoredObject<Version>) => ({
        ...deletionOf(request, object),
        ...itemOf(request, object),
      });
      return listPage(request, kind.deletedCollection, read, deletedItemOf);
    },

    /** The service promises no order. By id is none either, and never that of their making. */
    listVersions: (request: OperationRequest): Reply => {
      const object = storeOf(request.vault).find(request.name);
      const versions = [...(object?.versions.values() ?? [])].sort((one, other) =>
        one.version < other.version ? -1 : 1,
      );
      const read = (from: string, count: number) => {
        const rest = versions.filter(({ version }) => version >= from);
        const next = rest[count]?.version;
        return { items: rest.slice(0, count), ...(next === undefined ? {} : { next }) };
      };
      const baseId = baseIdOf(view, request, object?.name ?? request.name);
      return listPage(request, `${kind.collection}/${request.name}/versions`, read, (version) =>
        view.item(request, `${baseId}/${version.version}`, version),
      );
    },

    remove: (request: OperationRequest): Reply =>
      ok(deletedBundleOf(request, storeOf(request.vault).remove(request.name))),

    getDeleted: (request: OperationRequest): Reply =>
      ok(deletedBundleOf(request, storeOf(request.vault).deleted(request.name))),

    recover: (request: OperationRequest): Reply => ok(bundleOf(request, storeOf(request.vault).recover(request.name))),

    purge: (request: OperationRequest): Reply => {
      storeOf(request.vault).purge(request.name);
      return { status: 204 };
    },

    backup: async (request: OperationRequest): Promise<Reply> => {
      const object = storeOf(request.vault).live(request.name);
      if (object.versions.size > maximumBackupVersions) {
        throw badParameter(`${kind.noun} ${object.name} has more than ${maximumBackupVersions} versions.`);
      }
      return ok({ value: await request.vault.backups.seal(kind, object) });
    },

    restore: async (request: OperationRequest): Promise<Reply> => {
      const { value } = parseBody(restoreBody, request.body);
      const object = (await request.vault.backups.open(kind, value)) as StoredObject<Version>;
      view.assertHoldable(request.vault, object);
      storeOf(request.vault).restore(object);
      return ok(bundleOf(request, object));
    },
  };
}
