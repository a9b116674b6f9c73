import { isAzureFailure, type AzureFailure } from '../../azure-failure.ts';
import type { TargetVault } from '../../key-vault/target-vault.ts';
import type { HeldKey, InspectionStore } from '../../state/inspections.ts';
import type { ProviderRecord, ProviderReference } from '../../state/providers.ts';
import { deviationMark, withoutMark, type Suspect, type Suspects } from './listing.ts';
import type { Look, PassRequest } from './look.ts';

/** One pass over a provider's vault, as far as one message takes it. */
export interface Visit {
  reference: ProviderReference;
  provider: ProviderRecord;
  vault: TargetVault;
  began: Date;
}

/** Whether all was looked at; there was no time for more; or others need the vault more. */
export type Progress = 'done' | 'more' | 'later';

export interface Walk {
  /** Only keys after this one. */
  after: string | undefined;
  /** @returns undefined where there is nothing to look at. @throws AzureFailure */
  find: (held: HeldKey) => Promise<Suspect | undefined>;
  /** Called with the last key of those that were looked at. */
  remember: (key: string) => void;
  /** Asked before each group. */
  mayGoOn: () => Promise<boolean>;
  depth: Depth;
  /** After this no more is begun; a group of keys is looked at in any case. */
  until: Date;
}

/** `newest`: what a list or a read showed of the newest version may be all there is to see. `all`: so it mustn't be. */
export type Depth = { of: 'newest' } | ({ of: 'all' } & Pick<PassRequest, 'readSince'>);

export interface Examiner {
  /**
   * Compares keys with what is recorded of them. Those that there is no time for are owed a look, and so are on record.
   * @throws AzureFailure if it is the whole vault that can't be read
   */
  examine(visit: Visit, suspects: Suspects, until: Date): Promise<Progress>;
  /** Goes through the held keys. @throws AzureFailure like `examine` */
  walk(visit: Visit, walk: Walk): Promise<Progress>;
}

/** Keys looked at side by side. */
const looksAtOnce = 8;

/** So many keys that can't be read, and it is the vault that can't. */
const mostFailures = 10;

export function createExaminer(options: { inspections: InspectionStore; look: Look; now: () => Date }): Examiner {
  const { inspections, look, now } = options;

  /** One that can't be read is doubtful, and no reason to leave out the others. */
  async function examineGroup(
    visit: Visit,
    group: readonly HeldKey[],
    { find, depth }: Pick<Walk, 'find' | 'depth'>,
    failures: AzureFailure[],
  ): Promise<void> {
    const results = await Promise.all(
      group.map(async (held) => {
        try {
          const suspect = await find(held);
          return suspect && (await lookAt(visit, suspect, depth));
        } catch (error) {
          if (!isAzureFailure(error)) throw error;
          failures.push(error);
          return afterFailure(held, error, depth);
        }
      }),
    );
    await inspections.recordSeen(
      visit.reference,
      results.filter((result) => result !== undefined),
    );
    const fatal = failures.find(isOfTheVault) ?? (failures.length >= mostFailures ? failures[0] : undefined);
    if (fatal !== undefined) throw fatal;
  }

  async function lookAt(visit: Visit, { held, item, seen }: Suspect, depth: Depth): Promise<HeldKey | undefined> {
    const { reference, provider, vault, began } = visit;
    const { key, etag, owed } = held;
    const readSince = depth.of === 'all' ? depth.readSince : undefined;
    const outcome = await look.look({
      ...{ reference: { ...reference, key }, provider, vault },
      ...(item && { item }),
      inPass: { began, mayBeGone: depth.of === 'newest' && item === undefined, ...(readSince && { readSince }) },
    });
    switch (outcome.kind) {
      case 'nothing-there':
      case 'known':
        return undefined;
      case 'changing':
        return unlessSame(held, depth.of === 'all' ? owing(held) : { ...named(held), ...(owed && { owed }) });
      case 'seen': {
        const { kmsName, deviates } = outcome;
        const isKnown = item === undefined || item.name === kmsName;
        const remembered = (deviates ? deviationMark : '') + withoutMark(seen);
        return unlessSame(held, {
          ...{ key, etag, kmsName },
          ...(isKnown && { seen: remembered }),
          ...(owed && depth.of === 'newest' && { owed }),
        });
      }
    }
  }

  return {
    async examine(visit, suspects, until) {
      const failures: AzureFailure[] = [];
      let isFirst = true;
      let reached: Progress = 'done';
      for await (const page of suspects) {
        for (let start = 0; start < page.length; start += looksAtOnce) {
          if (!isFirst && now() >= until) {
            const rest = page.slice(start).map(({ held, seen }) => owing({ ...held, seen }));
            await inspections.recordSeen(visit.reference, rest);
            reached = 'more';
            break;
          }
          isFirst = false;
          const group = new Map(page.slice(start, start + looksAtOnce).map((suspect) => [suspect.held, suspect]));
          const find = async (held: HeldKey) => group.get(held);
          await examineGroup(visit, [...group.keys()], { find, depth: { of: 'newest' } }, failures);
        }
      }
      return reached;
    },

    async walk(visit, { after, remember, mayGoOn, until, ...how }) {
      const failures: AzureFailure[] = [];
      let isFirst = true;
      for await (const page of inspections.held(visit.reference, after)) {
        for (let start = 0; start < page.length; start += looksAtOnce) {
          if (!isFirst && now() >= until) return 'more';
          if (!(await mayGoOn())) return 'later';
          isFirst = false;
          const group = page.slice(start, start + looksAtOnce);
          await examineGroup(visit, group, how, failures);
          const last = group.at(-1);
          if (last !== undefined) remember(last.key);
        }
      }
      return 'done';
    },
  };
}

/** What is left of a held key of which nothing was learnt: it is compared again. */
function named({ key, etag, kmsName }: HeldKey): HeldKey {
  return { key, etag, ...(kmsName !== undefined && { kmsName }) };
}

function owing(held: HeldKey): HeldKey {
  return { ...named(held), ...(held.seen !== undefined && { seen: held.seen }), owed: true };
}

function afterFailure(held: HeldKey, error: AzureFailure, depth: Depth): HeldKey | undefined {
  // Nobody asked the vault, or it didn't say anything: that is no reason for doubt.
  if (error.deferred || error.kind === 'throttled') return unlessSame(held, owing(held));
  const owed = held.owed ?? (depth.of === 'all' ? true : undefined);
  return { ...named(held), doubt: error.message, ...(owed && { owed }) };
}

/** Whether the next key would fare no better. */
function isOfTheVault({ kind, deferred }: AzureFailure): boolean {
  return deferred || kind === 'credentials' || kind === 'no-such-vault' || kind === 'shut-out' || kind === 'throttled';
}

function unlessSame(held: HeldKey, after: HeldKey): HeldKey | undefined {
  const isSame =
    held.kmsName === after.kmsName &&
    held.seen === after.seen &&
    held.doubt === after.doubt &&
    held.owed === after.owed;
  return isSame ? undefined : after;
}
