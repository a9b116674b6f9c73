import type { InstanceStore, Presence } from '../../state/instances.ts';
import type { Clock } from './clock.ts';

/** What one instance may use of what is allowed in a scope. */
export interface Share {
  /** From 0 to 1. */
  fraction: number;
  /** Whether it may use what is kept for instances that have no fraction yet. */
  reserve: boolean;
}

export interface Shares {
  /**
   * To be asked at every call: whoever stops asking gives the share up.
   * @returns undefined until it is known who else is active
   */
  of(scope: string): Share | undefined;
}

export interface SharesOptions {
  instances: InstanceStore;
  instanceId: string;
  clock: Clock;
  /** The time of day, which other instances compare theirs with. */
  wallClock: () => Date;
  windowMilliseconds: number;
  /** Called whenever a share has changed. */
  onChange: () => void;
}

const whole = 1_000_000;
const beatMilliseconds = 3_000;
/** Longest answer that a window can be stretched by. */
const slackMilliseconds = 1_000;
/** Storage that takes longer than this to say who is active is not waited for. */
const patienceMilliseconds = 1_000;
/** Nobody removed it, and nobody ever will. */
const deadMilliseconds = 60_000;

interface Scope {
  name: string;
  share: Share | undefined;
  /** In millionths; what the row says once it is written. */
  claimed: number;
  heldShare: number;
  heldUntil: number;
  lastUse: number;
}

/**
 * Splits what is allowed in a scope evenly between the instances that are active there. Each says in a row of its own
 * what it takes. It gives up at once what is more than its part, and takes more only after the others' rows left room
 * for it and a second look found that nobody took the same room. What was given up counts for one more window, because
 * the calls made with it do.
 *
 * Where storage fails, everybody goes on with what they had.
 */
export function createShares(options: SharesOptions): Shares {
  const { instances, instanceId, clock, wallClock, windowMilliseconds, onChange } = options;
  const scopes = new Map<string, Scope>();
  const idleMilliseconds = windowMilliseconds + beatMilliseconds + slackMilliseconds;

  function change(scope: Scope, share: Share): void {
    const { fraction, reserve } = scope.share ?? {};
    if (fraction === share.fraction && reserve === share.reserve) return;
    scope.share = share;
    onChange();
  }

  async function write(scope: Scope, held = { share: scope.heldShare, until: scope.heldUntil }): Promise<void> {
    await instances.put(scope.name, {
      instance: instanceId,
      share: scope.claimed,
      heldShare: held.share,
      heldUntil: new Date(held.until),
      seenTime: wallClock(),
    });
  }

  async function readOthers(scope: Scope): Promise<Presence[]> {
    const time = wallClock().getTime();
    const all = await instances.list(scope.name);
    const others = all.filter(({ instance }) => instance !== instanceId);
    for (const { instance, seenTime } of others) {
      if (seenTime.getTime() < time - deadMilliseconds) await instances.remove(scope.name, instance);
    }
    return others.filter(({ seenTime }) => seenTime.getTime() > time - idleMilliseconds);
  }

  function taken(others: readonly Presence[]): number {
    const time = wallClock().getTime();
    const of = ({ share, heldShare, heldUntil }: Presence) =>
      heldUntil.getTime() > time ? Math.max(share, heldShare) : share;
    return others.reduce((sum, presence) => sum + of(presence), 0);
  }

  /** Says that this instance is active, looks who else is, and takes its part. */
  async function beat(scope: Scope): Promise<void> {
    await write(scope);
    const others = await readOthers(scope);
    const part = Math.floor(whole / (others.length + 1));
    const time = wallClock().getTime();
    const heldUntil = time + windowMilliseconds + slackMilliseconds;
    if (part < scope.claimed) {
      scope.heldShare = Math.max(scope.claimed, scope.heldUntil > time ? scope.heldShare : 0);
      scope.heldUntil = heldUntil;
      scope.claimed = part;
      change(scope, { fraction: part / whole, reserve: false });
      await write(scope);
      return;
    }
    const wanted = Math.min(part, Math.max(scope.claimed, whole - taken(others)));
    if (wanted > scope.claimed) {
      // Held, not yet shared: to those without a part this instance still is one of them.
      await write(scope, { share: Math.max(wanted, scope.heldShare), until: heldUntil });
      if (taken(await readOthers(scope)) + wanted <= whole) scope.claimed = wanted;
      await write(scope);
    }
    // At most one sees nobody else without a part: whoever looked first.
    const first = scope.share?.reserve === true || others.every(({ share }) => share > 0);
    change(scope, { fraction: scope.claimed / whole, reserve: scope.claimed === 0 && first });
  }

  async function join(scope: Scope): Promise<void> {
    const beating = beat(scope).catch(() => undefined);
    await Promise.race([beating, clock.sleep(patienceMilliseconds)]);
    if (scope.share === undefined) {
      scope.claimed = whole;
      change(scope, { fraction: 1, reserve: false });
    }
    await beating;
  }

  /** Until nobody has asked for long enough that no call counts any more. */
  async function keep(scope: Scope): Promise<void> {
    const isUsed = () => clock.now() - scope.lastUse < idleMilliseconds;
    while (isUsed()) {
      await join(scope);
      for (await clock.sleep(beatMilliseconds); isUsed(); await clock.sleep(beatMilliseconds)) {
        await beat(scope).catch(() => undefined);
      }
      scope.share = undefined;
      scope.claimed = 0;
      await instances.remove(scope.name, instanceId).catch(() => undefined);
    }
    scopes.delete(scope.name);
  }

  return {
    of(name) {
      const found = scopes.get(name);
      const scope = found ?? { name, share: undefined, claimed: 0, heldShare: 0, heldUntil: 0, lastUse: 0 };
      scope.lastUse = clock.now();
      if (found === undefined) {
        scopes.set(name, scope);
        keep(scope).catch(() => scopes.delete(name));
      }
      return scope.share;
    },
  };
}
