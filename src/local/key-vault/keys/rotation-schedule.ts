import type { StoredObject } from '../object-store.ts';
import { createOrderedNames } from '../ordered-names.ts';
import { parseDuration, shift, type Duration } from './duration.ts';
import type { KeyVersion } from './key-version.ts';
import type { RotationPolicy } from './rotation-policy.ts';

export interface DueRotation {
  object: StoredObject<KeyVersion>;
  dueSeconds: number;
}

/** Which keys of a vault must be rotated by their policies, in the order of time. */
export interface RotationSchedule {
  /** To be told of every change of a key or its policy. */
  reschedule(object: StoredObject<KeyVersion>): void;
  /** @returns the earliest that is due */
  due(atSeconds: number): DueRotation | undefined;
}

export function createRotationSchedule(): RotationSchedule {
  const order = createOrderedNames();
  const entries = new Map<string, string>();
  const objects = new Map<string, StoredObject<KeyVersion>>();
  return {
    reschedule(object) {
      const key = object.name.toUpperCase();
      order.remove(entries.get(key) ?? '');
      entries.delete(key);
      objects.delete(key);
      const dueSeconds = object.deletion ? undefined : dueOf(object);
      if (dueSeconds === undefined) return;
      const entry = `${String(dueSeconds).padStart(16, '0')} ${key}`;
      order.add(entry);
      entries.set(key, entry);
      objects.set(key, object);
    },
    due(atSeconds) {
      const [first] = order.from('', 1);
      if (first === undefined) return undefined;
      const separator = first.indexOf(' ');
      const dueSeconds = Number(first.slice(0, separator));
      const object = objects.get(first.slice(separator + 1));
      return object && dueSeconds <= atSeconds ? { object, dueSeconds } : undefined;
    },
  };
}

/** Nothing is due before the change that made it so, nor while a recovery is in progress. */
function dueOf(object: StoredObject<KeyVersion>): number | undefined {
  const policy = object.rotationPolicy;
  const planned = policy && plannedOf(policy, object.newest);
  if (!policy || planned === undefined) return undefined;
  const recovered = Math.ceil((object.recoveringUntil ?? 0) / 1000);
  return Math.max(planned, object.newest.updated, policy.updated, recovered);
}

function plannedOf(policy: RotationPolicy, newest: KeyVersion): number | undefined {
  const trigger = policy.lifetimeActions.find(({ action }) => action.type === 'Rotate')?.trigger;
  if (trigger?.timeAfterCreate !== undefined) return shift(newest.created, durationOf(trigger.timeAfterCreate), 1);
  if (trigger?.timeBeforeExpiry === undefined || newest.expires === undefined) return undefined;
  return shift(newest.expires, durationOf(trigger.timeBeforeExpiry), -1);
}

const durationOf = (text: string): Duration => parseDuration(text) as Duration;
