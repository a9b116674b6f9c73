import { heldPrefix, passRow, providerPartition, type ProviderReference } from './providers.ts';
import { startingWith, type Action, type Properties, type Table, maxActions } from './table.ts';

/** A key that a provider holds, with what a list of its vault last showed of it. */
export interface HeldKey {
  key: string;
  etag: string;
  /** Its name in the vault; absent until it was looked at. */
  kmsName?: string;
  /** Digest of what was seen when what is recorded of it was last compared; absent: it has to be compared. */
  seen?: string;
  /** Why it couldn't be read the last time. */
  doubt?: string;
  /** All its versions are still to be looked at: there was no time for it, or somebody was at work on it. */
  owed?: true;
}

/** How far the looking through a provider's vault got. */
export interface InspectionRecord {
  /** Of the provider that it is about: one made anew under the same name has been looked at by nobody. */
  providerCreatedTime: Date;
  /** When the last one that saw every key began. */
  lightTime?: Date;
  /** When the last one that saw every version of every key began. */
  thoroughTime?: Date;
  /** When an earlier one began, which saw the keys that were left out of the last one and are owed a look. */
  earlierThoroughTime?: Date;
  /** Set while one that sees every version is on its way: when it began, and the last key it saw. */
  thoroughBegan?: Date;
  thoroughCursor?: string;
  /** The same of one that reads each key by its name. */
  lightBegan?: Date;
  lightCursor?: string;
  /** Of the keys that are owed a look, the last one that was looked at since the list was read. */
  owedCursor?: string;
  /** Set where the list of keys was read and what else there is to do is left to another message. */
  goingOn?: boolean;
  /** Until then a pass that was put off needs no other message than the one that comes then. */
  comeBackTime?: Date;
  /** Whether the vault let us list its keys the last time. */
  mayList: boolean;
  /** Why the last try saw less than everything. */
  failure?: string;
  /** When that try began. */
  failureTime?: Date;
  /** What was to be done about drift then. */
  drift: string;
  /** Names of keys in the vault that bear the provider's tag and belong to no distribution; the first ones. */
  extras: readonly string[];
  extraCount: number;
}

/** In the provider's own partition, so that a look at everything costs O(pages) reads. */
export interface InspectionStore {
  read(reference: ProviderReference, providerCreatedTime: Date): Promise<InspectionRecord | undefined>;
  write(reference: ProviderReference, inspection: InspectionRecord): Promise<void>;
  /** The keys held, in order of name, page by page. @param after only keys that follow this one */
  held(reference: ProviderReference, after?: string): AsyncIterable<readonly HeldKey[]>;
  /** Writes what was seen; keys that are no longer held, or were booked anew, are passed over. */
  recordSeen(reference: ProviderReference, seen: readonly HeldKey[]): Promise<void>;
}

const pageSize = 1000;

export function createInspectionStore(table: Table): InspectionStore {
  return {
    async read(reference, providerCreatedTime) {
      const entity = await table.get(providerPartition(reference), passRow);
      if (entity === undefined) return undefined;
      const { extras, ...rest } = entity.properties;
      const record = { ...rest, extras: JSON.parse(extras as string) as string[] } as unknown as InspectionRecord;
      return record.providerCreatedTime.getTime() === providerCreatedTime.getTime() ? record : undefined;
    },

    async write(reference, { extras, ...rest }) {
      const given = Object.entries(rest).filter(([, value]) => value !== undefined);
      const properties = { ...(Object.fromEntries(given) as Properties), extras: JSON.stringify(extras) };
      await table.transact(providerPartition(reference), [{ kind: 'upsert', row: passRow, properties }]);
    },

    async *held(reference, after) {
      const { from, before } = startingWith(heldPrefix);
      // No name has a character below the blank.
      let first = after === undefined ? from : `${heldPrefix}${after} `;
      for (;;) {
        const rows = await table.query(providerPartition(reference), { from: first, before, atMost: pageSize });
        const last = rows.at(-1);
        if (last === undefined) return;
        yield rows.map(({ row, etag, properties }) => ({ key: row.slice(heldPrefix.length), etag, ...properties }));
        if (rows.length < pageSize) return;
        first = `${last.row} `;
      }
    },

    async recordSeen(reference, seen) {
      const partition = providerPartition(reference);
      for (let start = 0; start < seen.length; start += maxActions) {
        const actions = seen.slice(start, start + maxActions).map(replaceHeld);
        if (await table.transact(partition, actions)) continue;
        for (const action of actions) await table.transact(partition, [action]);
      }
    },
  };
}

function replaceHeld({ key, etag, kmsName, seen, doubt, owed }: HeldKey): Action {
  const properties = {
    ...(kmsName !== undefined && { kmsName }),
    ...(seen !== undefined && { seen }),
    ...(doubt !== undefined && { doubt }),
    ...(owed !== undefined && { owed }),
  };
  return { kind: 'replace', row: heldPrefix + key, etag, properties };
}
