import { conflict, forbidden } from './errors.ts';
import { deletedNotFound, notFound, type ObjectKind } from './object-kind.ts';
import { createOrderedNames } from './ordered-names.ts';
import type { RotationPolicy } from './keys/rotation-policy.ts';

/** What every version of a key or secret has. Times are Unix seconds. */
export interface StoredVersion {
  /** 32 lower-case hex digits. */
  version: string;
  enabled: boolean;
  notBefore?: number;
  expires?: number;
  created: number;
  updated: number;
  tags?: Record<string, string>;
}

/** A key or secret under one name, with all its versions in the order in which they were made. */
export interface StoredObject<Version extends StoredVersion> {
  /** In the case in which it was first written. */
  name: string;
  versions: Map<string, Version>;
  newest: Version;
  /** Keys only. */
  rotationPolicy?: RotationPolicy;
  /** Set from the delete until the object is recovered or gone. */
  deletion?: Deletion;
  /** Until when a recovery is in progress, in milliseconds. */
  recoveringUntil?: number;
}

/** Times in milliseconds. */
export interface Deletion {
  deletedAt: number;
  /** Until then the deletion is in progress: not to be seen, recovered or purged. */
  inProgressUntil: number;
  purgeAt: number;
}

/** The parts of a store that outlive it, as plain data. */
export interface StoreContents<Version extends StoredVersion> {
  objects: StoredObject<Version>[];
  purging: Map<string, number>;
}

export interface NamePage<Item> {
  items: Item[];
  /** Where the next page starts; absent on the last. */
  next?: string;
}

export interface ObjectStoreOptions<Version extends StoredVersion> {
  kind: ObjectKind;
  now: () => Date;
  softDeleteRetentionDays: number;
  purgeProtection: boolean;
  deletionLagMilliseconds: number;
  recoveryLagMilliseconds: number;
  contents?: StoreContents<Version>;
  /** Told of every object that got a version, was deleted, recovered, restored, or was in `contents`. */
  onChange?(object: StoredObject<Version>): void;
}

/**
 * Named, versioned objects with soft delete: the part that keys and secrets share. Names are one regardless of case.
 * Every method is synchronous, so what it does is atomic.
 */
export interface ObjectStore<Version extends StoredVersion> {
  find(name: string): StoredObject<Version> | undefined;
  /** The object in whatever state it is. */
  peek(name: string): StoredObject<Version> | undefined;
  /** @throws KeyVaultError 404 */
  live(name: string): StoredObject<Version>;
  /** @param version the empty string for the newest. @throws KeyVaultError 404 */
  version(name: string, version: string): { object: StoredObject<Version>; version: Version };
  /** @throws KeyVaultError 409 with the inner code that says why the name is taken */
  assertWritable(name: string): void;
  /** Makes the object if the name is free. @throws KeyVaultError 409 */
  add(name: string, version: Version): StoredObject<Version>;
  /** @throws KeyVaultError 404, or 409 while it is being recovered */
  remove(name: string): StoredObject<Version>;
  /** @throws KeyVaultError 404 */
  deleted(name: string): StoredObject<Version>;
  /** @throws KeyVaultError 404, 409 */
  recover(name: string): StoredObject<Version>;
  /** @throws KeyVaultError 403 with purge protection, 404, 409 */
  purge(name: string): void;
  /** @throws KeyVaultError 409 without inner code unless the name is entirely free */
  restore(object: StoredObject<Version>): void;
  listLive(from: string, count: number): NamePage<StoredObject<Version>>;
  listDeleted(from: string, count: number): NamePage<StoredObject<Version>>;
  /** All objects, deleted ones too, including those whose retention has just ended. */
  contents(): StoreContents<Version>;
}

const dayMilliseconds = 86_400_000;

export function createObjectStore<Version extends StoredVersion>(
  options: ObjectStoreOptions<Version>,
): ObjectStore<Version> {
  type Stored = StoredObject<Version>;
  const { kind } = options;
  const objects = new Map<string, Stored>();
  const purging = new Map(options.contents?.purging);
  const liveNames = createOrderedNames();
  const deletedNames = createOrderedNames();
  /** In the order of deletion, which is the order in which retention ends. */
  const awaitingPurge = new Map<string, Stored>();

  const keyOf = (name: string) => name.toUpperCase();
  const changed = (object: Stored) => options.onChange?.(object);
  const milliseconds = () => options.now().getTime();

  const forget = (key: string) => {
    objects.delete(key);
    deletedNames.remove(key);
    awaitingPurge.delete(key);
  };
  /** Both maps are in the order in which their entries end, so this costs what has ended and no more. */
  const dropExpired = () => {
    const at = milliseconds();
    for (const [key, until] of purging) {
      if (until > at) break;
      purging.delete(key);
    }
    for (const [key, object] of awaitingPurge) {
      if (!object.deletion || object.deletion.purgeAt > at) break;
      forget(key);
    }
  };
  const get = (name: string): Stored | undefined => {
    dropExpired();
    return objects.get(keyOf(name));
  };
  const isRecovering = (object: Stored) => (object.recoveringUntil ?? 0) > milliseconds();
  const isLive = (object: Stored) => !object.deletion && !isRecovering(object);
  const isBeingDeleted = (object: Stored) => (object.deletion?.inProgressUntil ?? 0) > milliseconds();
  const beingDeleted = (name: string) =>
    conflict(`${kind.noun} ${name} is currently being deleted.`, 'ObjectIsBeingDeleted');
  const beingRecovered = (name: string) =>
    conflict(`${kind.noun} ${name} is currently being recovered.`, 'ObjectIsBeingRecovered');

  const live = (name: string): Stored => {
    const object = get(name);
    if (!object || !isLive(object)) throw notFound(kind, name);
    return object;
  };
  /** A deleted object that recover and purge may work on. */
  const settledDeleted = (name: string): Stored => {
    const object = get(name);
    if (object && isRecovering(object)) throw beingRecovered(name);
    if (!object?.deletion) throw deletedNotFound(kind, name);
    if (isBeingDeleted(object)) throw beingDeleted(name);
    return object;
  };
  const page = (
    names: string[],
    count: number,
    isVisible: (object: Stored) => boolean,
  ): NamePage<StoredObject<Version>> => {
    const items = names.slice(0, count).map((key) => objects.get(key) as Stored);
    const next = names[count];
    return { items: items.filter(isVisible), ...(next === undefined ? {} : { next }) };
  };

  const sorted = [...(options.contents?.objects ?? [])].sort(
    (one, other) => (one.deletion?.purgeAt ?? 0) - (other.deletion?.purgeAt ?? 0),
  );
  for (const object of sorted) {
    const key = keyOf(object.name);
    objects.set(key, object);
    if (object.deletion) {
      deletedNames.add(key);
      awaitingPurge.set(key, object);
    } else liveNames.add(key);
    changed(object);
  }

  const store: ObjectStore<Version> = {
    find(name) {
      const object = get(name);
      return object && isLive(object) ? object : undefined;
    },
    peek: get,
    live,
    version(name, version) {
      const object = live(name);
      const found = version === '' ? object.newest : object.versions.get(version);
      if (!found) throw notFound(kind, name, version);
      return { object, version: found };
    },
    assertWritable(name) {
      const object = get(name);
      if (purging.has(keyOf(name))) throw beingDeleted(name);
      if (!object) return;
      if (isRecovering(object)) throw beingRecovered(name);
      if (!object.deletion) return;
      if (isBeingDeleted(object)) throw beingDeleted(name);
      const text = `${kind.noun} ${name} is deleted but recoverable; its name can't be used again before it is purged.`;
      throw conflict(text, 'ObjectIsDeletedButRecoverable');
    },
    add(name, version) {
      store.assertWritable(name);
      const existing = objects.get(keyOf(name));
      if (existing) {
        existing.versions.set(version.version, version);
        existing.newest = version;
        changed(existing);
        return existing;
      }
      const object: Stored = { name, versions: new Map([[version.version, version]]), newest: version };
      objects.set(keyOf(name), object);
      liveNames.add(keyOf(name));
      changed(object);
      return object;
    },
    remove(name) {
      const recovering = get(name);
      if (recovering && isRecovering(recovering)) throw beingRecovered(name);
      const object = live(name);
      const deletedAt = milliseconds();
      object.deletion = {
        deletedAt,
        inProgressUntil: deletedAt + options.deletionLagMilliseconds,
        purgeAt: deletedAt + options.softDeleteRetentionDays * dayMilliseconds,
      };
      delete object.recoveringUntil;
      liveNames.remove(keyOf(name));
      deletedNames.add(keyOf(name));
      awaitingPurge.set(keyOf(name), object);
      changed(object);
      return object;
    },
    deleted(name) {
      const object = get(name);
      if (!object?.deletion || isBeingDeleted(object)) throw deletedNotFound(kind, name);
      return object;
    },
    recover(name) {
      const object = settledDeleted(name);
      delete object.deletion;
      object.recoveringUntil = milliseconds() + options.recoveryLagMilliseconds;
      deletedNames.remove(keyOf(name));
      awaitingPurge.delete(keyOf(name));
      liveNames.add(keyOf(name));
      changed(object);
      return object;
    },
    purge(name) {
      const object = settledDeleted(name);
      if (options.purgeProtection) {
        throw forbidden(`Purge isn't allowed: purge protection is enabled on the vault of ${object.name}.`);
      }
      forget(keyOf(name));
      purging.set(keyOf(name), milliseconds() + options.deletionLagMilliseconds);
    },
    restore(object) {
      if (get(object.name) || purging.has(keyOf(object.name))) {
        throw conflict(`${kind.noun} ${object.name} can't be restored: the name exists or is soft-deleted.`);
      }
      objects.set(keyOf(object.name), object);
      liveNames.add(keyOf(object.name));
      changed(object);
    },
    listLive(from, count) {
      dropExpired();
      return page(liveNames.from(from, count + 1), count, isLive);
    },
    listDeleted(from, count) {
      dropExpired();
      return page(deletedNames.from(from, count + 1), count, (object) => !isBeingDeleted(object));
    },
    contents: () => ({ objects: [...objects.values()], purging: new Map(purging) }),
  };
  return store;
}
