import { randomUUID } from 'node:crypto';
import type { Entity, Properties, Table } from './table.ts';

/**
 * What an intent points at. `distribution`: a key in a provider's vault. `key` and `provider`: a name in the index that
 * has to agree with what exists.
 */
export type Subject =
  | { kind: 'distribution'; mount: string; key: string; provider: string }
  | { kind: 'key'; mount: string; key: string }
  | { kind: 'provider'; mount: string; provider: string };

/** A change that somebody was about to make when the intent was written. */
export interface Announcement {
  time: Date;
  /** What the change is guarded by: once this is no longer so, the change was made or never will be. Empty: nothing. */
  guard: string;
}

/** When to look at a subject again, and what to know then. */
export interface Work {
  dueTime: Date;
  attempts: number;
  announced?: Announcement;
}

/** Work that isn't known to be done. Written before the change that causes it, removed after everything agrees. */
export interface Intent {
  subject: Subject;
  /** Changes with every write: whoever did the work can only remove the intent that was there before the work began. */
  etag: string;
  /** Unlike any earlier one of this subject. */
  stamp: string;
  /** Tries so far, wakes by the sweep included. 0: whoever wrote it is still at it. */
  attempts: number;
  /** Before this nobody but the one who wrote it needs to look. */
  dueTime: Date;
  /** Absent: nobody is about to change anything. */
  announced?: Announcement;
}

export interface IntentStore {
  /** Notes that there is work, replacing an earlier intent of the same subject. @returns the new stamp */
  put(subject: Subject, work: Work): Promise<string>;
  read(subject: Subject): Promise<Intent | undefined>;
  /** @returns the new stamp, or undefined if the intent was written again since it was read, or is gone */
  reschedule(intent: Intent, work: Work): Promise<string | undefined>;
  /** @returns false if the intent was written again since it was read */
  remove(intent: Intent): Promise<boolean>;
  /** All open intents. */
  list(): Promise<Intent[]>;
}

const partition = 'open';

export function createIntentStore(table: Table): IntentStore {
  return {
    async put(subject, work) {
      const stamp = randomUUID();
      const properties = { ...subject, ...workProperties(work), stamp };
      await table.transact(partition, [{ kind: 'upsert', row: rowOf(subject), properties }]);
      return stamp;
    },

    async read(subject) {
      const entity = await table.get(partition, rowOf(subject));
      return entity && toIntent(entity);
    },

    async reschedule(intent, work) {
      const stamp = randomUUID();
      const properties = { ...intent.subject, ...workProperties(work), stamp };
      const row = rowOf(intent.subject);
      const written = await table.transact(partition, [{ kind: 'replace', row, etag: intent.etag, properties }]);
      return written ? stamp : undefined;
    },

    remove: (intent) => table.remove(partition, rowOf(intent.subject), intent.etag),

    list: async () => (await table.query(partition)).map(toIntent),
  };
}

function rowOf(subject: Subject): string {
  switch (subject.kind) {
    case 'distribution':
      return `distribution|${subject.mount}|${subject.key}|${subject.provider}`;
    case 'key':
      return `key|${subject.mount}|${subject.key}`;
    case 'provider':
      return `provider|${subject.mount}|${subject.provider}`;
  }
}

function workProperties({ dueTime, attempts, announced }: Work): Properties {
  return {
    dueTime,
    attempts,
    ...(announced && { announcedTime: announced.time, announcedGuard: announced.guard }),
  };
}

function toIntent({ properties, etag }: Entity): Intent {
  const { attempts, dueTime, stamp, announcedTime, announcedGuard, ...subject } = properties as unknown as Pick<
    Intent,
    'attempts' | 'dueTime' | 'stamp'
  > & { announcedTime?: Date; announcedGuard?: string };
  return {
    subject: subject as unknown as Subject,
    attempts,
    dueTime,
    stamp,
    etag,
    ...(announcedTime && { announced: { time: announcedTime, guard: announcedGuard ?? '' } }),
  };
}
