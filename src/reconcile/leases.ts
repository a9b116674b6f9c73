import { randomUUID } from 'node:crypto';
import { isAzureFailure } from '../azure-failure.ts';
import { isKeyfleetError } from '../errors.ts';
import type {
  Attempt,
  DistributionRecord,
  DistributionReference,
  PlacementRecord,
  Stored,
} from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import { amendDistribution, type Amendment } from './amend-distribution.ts';
import { doubtCopy, isUnsure } from './placements.ts';

/** A call that changes a vault takes at most this long, or it is broken off. */
const callSeconds = 15;

/** What clocks may differ by, and how long a vault may still be at a call that was broken off. */
const marginSeconds = 10;

/** How long a vault may still be at a call whose connection broke, or that it says failed. */
const lostReplySeconds = 2;

/** What a call is about. */
export interface Subject {
  /** What {@link Attempt.version} says. */
  version: number;
  /** The copy that is enabled or disabled: until it is recorded how the call ended, that is not known of it. */
  turned?: { placement: PlacementRecord; kmsVersion: string };
}

/**
 * Lets one process at a time change a key in a vault. Key Vault has no compare-and-set and an import can't be taken back,
 * so the right to make one call is recorded before it, guarded by the ETag of what was read. It ends by itself, and later
 * than the call.
 */
export interface Leases {
  /** @returns until when somebody's call may be on its way; undefined if none is */
  heldUntil(distribution: DistributionRecord): Date | undefined;
  /**
   * Makes one call to the vault under a lease. If it fails, the lease is given back; if it doesn't, that is left to
   * {@link end}.
   * @param distribution as it was when the call was decided on
   * @param call must have ended by `deadline`
   * @returns undefined if the distribution was changed meanwhile: no call was made
   * @throws what the call throws
   */
  during<T>(
    reference: DistributionReference,
    distribution: Stored<DistributionRecord>,
    subject: Subject,
    call: (deadline: Date) => Promise<T>,
  ): Promise<{ holder: string; result: T } | undefined>;
  /**
   * Writes what came of the call, and ends the lease with that.
   * @returns false if the lease had run out and isn't `holder`'s any more; then nothing is written
   */
  end(reference: DistributionReference, holder: string, amendment?: Amendment): Promise<boolean>;
}

export function createLeases({ keys, now }: { keys: KeyStore; now: () => Date }): Leases {
  const inSeconds = (seconds: number) => new Date(now().getTime() + seconds * 1000);

  async function take(
    reference: DistributionReference,
    distribution: Stored<DistributionRecord>,
    { version, turned }: Subject,
  ): Promise<Attempt | undefined> {
    const attempt = { version, until: inSeconds(callSeconds + marginSeconds), holder: randomUUID() };
    const doubted = turned && doubtCopy(turned.placement, turned.kmsVersion, true);
    if (await keys.putDistribution(reference, { ...distribution, attempt }, doubted)) return attempt;
    // Where a reply was lost, the client repeated the write and met its own.
    const current = await keys.readDistribution(reference);
    return current?.attempt?.holder === attempt.holder ? attempt : undefined;
  }

  const end: Leases['end'] = (reference, holder, amendment = ({ distribution }) => ({ distribution })) =>
    amendDistribution(keys, reference, (current, state) => {
      if (current.distribution.attempt?.holder !== holder) return undefined;
      const { attempt: _attempt, ...distribution } = current.distribution;
      return amendment({ ...current, distribution }, state);
    });

  /** What an earlier call may have left in the vault is as unknown as before this one, which had no effect. */
  function takeBack(
    reference: DistributionReference,
    { holder }: Attempt,
    { attempt: earlier }: DistributionRecord,
    { version, turned }: Subject,
  ): Promise<boolean> {
    return end(reference, holder, ({ distribution, placements }) => {
      const known = placements.find((placement) => placement.version === version);
      return {
        distribution: { ...distribution, ...(earlier && { attempt: earlier }) },
        ...(known &&
          turned && {
            placement: doubtCopy(known, turned.kmsVersion, isUnsure(turned.placement, turned.kmsVersion)),
          }),
      };
    });
  }

  /** What was attempted stays on record; a call that took all its time is given the rest of the lease. */
  function leaveOpen(reference: DistributionReference, { holder, until }: Attempt): Promise<boolean> {
    return amendDistribution(keys, reference, ({ distribution }) => {
      if (distribution.attempt?.holder !== holder) return undefined;
      const sooner = inSeconds(lostReplySeconds);
      if (sooner.getTime() > until.getTime() - marginSeconds * 1000) return undefined;
      return { distribution: { ...distribution, attempt: { ...distribution.attempt, until: sooner } } };
    });
  }

  return {
    heldUntil: ({ attempt }) => (attempt !== undefined && attempt.until > now() ? attempt.until : undefined),

    async during(reference, distribution, subject, call) {
      const attempt = await take(reference, distribution, subject);
      if (attempt === undefined) return undefined;
      try {
        const result = await call(new Date(attempt.until.getTime() - marginSeconds * 1000));
        return { holder: attempt.holder, result };
      } catch (error) {
        if (isAzureFailure(error, 'unknown-outcome')) await leaveOpen(reference, attempt);
        else if (isAzureFailure(error) || isKeyfleetError(error))
          await takeBack(reference, attempt, distribution, subject);
        throw error;
      }
    },

    end,
  };
}
