import { randomUUID } from 'node:crypto';
import type { SecretReference } from './secret-records.ts';
import type { Table } from './table.ts';

/** That somebody has to look at a secret when a time has come. */
export interface Reminder {
  reference: SecretReference;
  time: Date;
  /** Unlike any other one's. */
  id: string;
}

/** Reminders in the order of their times, so that finding what is due costs no more than what is due. */
export interface ReminderStore {
  /** Never replaces another reminder of the same secret: that one is somebody else's. */
  put(reference: SecretReference, time: Date): Promise<Reminder>;
  remove(reminder: Reminder): Promise<void>;
  /** Those whose time has come by `now`, earliest first. */
  due(now: Date): Promise<Reminder[]>;
}

const partition = 'open';
const separator = '|';

export function createReminderStore(table: Table): ReminderStore {
  return {
    async put(reference, time) {
      const reminder = { reference, time, id: randomUUID() };
      await table.transact(partition, [{ kind: 'insert', row: rowOf(reminder), properties: { ...reference } }]);
      return reminder;
    },

    async remove(reminder) {
      // One that is gone already was seen to by somebody else.
      await table.transact(partition, [{ kind: 'remove', row: rowOf(reminder) }]);
    },

    async due(now) {
      const rows = await table.query(partition, { before: new Date(now.getTime() + 1).toISOString() });
      return rows.map(({ row, properties }) => {
        const [time = '', id = ''] = row.split(separator);
        const { mount, path } = properties as { mount: string; path: string };
        return { reference: { mount, path }, time: new Date(time), id };
      });
    },
  };
}

/** ISO times sort as they follow each other. */
function rowOf({ time, id }: Reminder): string {
  return time.toISOString() + separator + id;
}
