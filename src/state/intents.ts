import { randomUUID } from 'node:crypto';
import { maxActions, type Action, type Entity, type Properties, type Table } from './table.ts';

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
  /**
   * Up to {@link mostRescheduledAtOnce} with one request: all of them or none.
   * @returns the new stamps in the same order, or undefined if one of the intents was written again since it was read
   */
  rescheduleAll(changes: readonly Rescheduling[]): Promise<string[] | undefined>;
  /** @returns false if the intent was written again since it was read */
  remove(intent: Intent): Promise<boolean>;
  /** All open intents. */
  list(): Promise<Intent[]>;
  /** Open intents page by page, in an order that never changes. */
  pages(range: IntentRange): AsyncIterable<readonly Intent[]>;
  /** Where somebody who goes through all of them was; undefined: at the beginning. */
  readPlace(): Promise<Subject | undefined>;
  writePlace(subject: Subject | undefined): Promise<void>;
}

export interface Rescheduling {
  intent: Intent;
  work: Work;
}

/** Both need not have an intent. */
export interface IntentRange {
  after?: Subject | undefined;
  /** Inclusive. */
  upTo?: Subject | undefined;
}

export const mostRescheduledAtOnce = maxActions;

const partition = 'open';
const placePartition = 'place';
const placeRow = 'sweep';
const pageSize = 1000;

export function createIntentStore(table: Table): IntentStore {
  async function rescheduleAll(changes: readonly Rescheduling[]): Promise<string[] | undefined> {
    const stamps = changes.map(() => randomUUID());
    const written = await table.transact(
      partition,
      changes.map(({ intent: { subject, etag }, work }, index) => {
        const properties = { ...subject, ...workProperties(work), stamp: stamps[index] ?? '' };
        return { kind: 'replace', row: rowOf(subject), etag, properties };
      }),
    );
    return written ? stamps : undefined;
  }

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

    reschedule: async (intent, work) => (await rescheduleAll([{ intent, work }]))?.[0],

    rescheduleAll,

    remove: (intent) => table.remove(partition, rowOf(intent.subject), intent.etag),

    list: async () => (await table.query(partition)).map(toIntent),

    async *pages({ after, upTo }) {
      let from = after && followerOf(rowOf(after));
      const before = upTo && followerOf(rowOf(upTo));
      for (;;) {
        const range = { ...(from !== undefined && { from }), ...(before !== undefined && { before }) };
        const entities = await table.query(partition, { ...range, atMost: pageSize });
        const last = entities.at(-1);
        if (last === undefined) return;
        yield entities.map(toIntent);
        if (entities.length < pageSize) return;
        from = followerOf(last.row);
      }
    },

    async readPlace() {
      const entity = await table.get(placePartition, placeRow);
      return entity && (JSON.parse(entity.properties.subject as string) as Subject);
    },

    async writePlace(subject) {
      const action: Action =
        subject === undefined
          ? { kind: 'remove', row: placeRow }
          : { kind: 'upsert', row: placeRow, properties: { subject: JSON.stringify(subject) } };
      // Refused where it is to be removed and is gone.
      await table.transact(placePartition, [action]);
    },
  };
}

/** The first row that may come after this one: no name has a character below the blank. */
function followerOf(row: string): string {
  return `${row} `;
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
