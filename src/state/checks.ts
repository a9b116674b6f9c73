import type { ProviderReference } from './providers.ts';
import type { Table } from './table.ts';

/** That a provider's vault has to be looked through when a time has come. */
export interface CheckReminder {
  reference: ProviderReference;
  time: Date;
}

/**
 * Reminders in the order of their times, so that finding what is due costs no more than what is due. A provider and a time
 * make a row: two of the same are one.
 */
export interface CheckReminders {
  put(reminder: CheckReminder): Promise<void>;
  remove(reminder: CheckReminder): Promise<void>;
  /** Those whose time has come by `now`, earliest first. */
  due(now: Date): Promise<CheckReminder[]>;
}

const partition = 'open';

export function createCheckReminders(table: Table): CheckReminders {
  return {
    async put(reminder) {
      const { mount, provider } = reminder.reference;
      await table.transact(partition, [{ kind: 'upsert', row: rowOf(reminder), properties: { mount, provider } }]);
    },

    async remove(reminder) {
      // One that is gone already was seen to by somebody else.
      await table.transact(partition, [{ kind: 'remove', row: rowOf(reminder) }]);
    },

    async due(now) {
      const rows = await table.query(partition, { before: new Date(now.getTime() + 1).toISOString() });
      return rows.map(({ row, properties }) => ({
        reference: properties as unknown as ProviderReference,
        time: new Date(row.slice(0, row.indexOf('|'))),
      }));
    },
  };
}

/** ISO times sort as they follow each other. */
function rowOf({ reference: { mount, provider }, time }: CheckReminder): string {
  return `${time.toISOString()}|${mount}|${provider}`;
}
