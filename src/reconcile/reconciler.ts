import { isDeepStrictEqual } from 'node:util';
import { AzureFailure, isAzureFailure } from '../azure-failure.ts';
import { isKeyfleetError } from '../errors.ts';
import type { DistributionReference, Messaging } from '../messaging/index.ts';
import type { Intent, IntentStore, Work } from '../state/intents.ts';
import type { Refusal } from '../state/key-records.ts';
import type { KeyStore } from '../state/keys.ts';
import type { ProviderStore } from '../state/providers.ts';
import { amendDistribution } from './amend-distribution.ts';
import { graceTime, isAwaited, mayYetCome, retryTime, type DistributionSubject } from './intents.ts';
import { nextStep, type Step } from './plan.ts';
import type { StepRunner } from './steps.ts';

export interface Reconciler {
  /**
   * Makes one vault agree with what should be true of one key there, step by step, each recorded before the next.
   * Returns normally once it agrees, once the vault refused, or once another try is scheduled; it may be called any
   * number of times. Throws only if Keyfleet's own state, queue or code failed.
   */
  reconcile(reference: DistributionReference): Promise<void>;
}

export interface ReconcilerOptions {
  keys: KeyStore;
  providers: ProviderStore;
  intents: IntentStore;
  messaging: Messaging;
  steps: StepRunner;
  /** How long a request waits for the vaults to agree. */
  waitSeconds: number;
  now: () => Date;
}

/** `settled`: nothing is left to do unasked. `waiting`: another try is due later. */
type Outcome = 'settled' | 'going-on' | 'waiting';

/** What somebody tried to do. */
interface Effort {
  reference: DistributionReference;
  intent: Intent | undefined;
  step: Step;
  /** Tells a distribution from a later one at the same provider. */
  distributedTime: Date;
}

/** After so many steps the rest goes into a message of its own: no function runs for minutes. */
const mostSteps = 200;

/** What the host gives a request, and more. */
const longestRequestSeconds = 660;

/** First delays before another try; they double. */
const refusedDelaySeconds = 60;
const unavailableDelaySeconds = 2;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { keys, providers, intents, messaging, steps, waitSeconds, now } = options;

  async function reconcile(reference: DistributionReference): Promise<void> {
    const subject: DistributionSubject = { kind: 'distribution', ...reference };
    for (let count = 0; count < mostSteps; count++) {
      // Read before the state: a change made after this writes the intent anew, and then it isn't removed below.
      const intent = await intents.read(subject);
      const outcome = await advance(reference, intent);
      if (outcome === 'waiting') return;
      if (outcome === 'settled' && (intent === undefined || (await intents.remove(intent)))) return;
    }
    const stamp = await intents.put(subject, { dueTime: now(), attempts: 0 });
    await messaging.wake(reference, stamp);
  }

  async function advance(reference: DistributionReference, intent: Intent | undefined): Promise<Outcome> {
    const state = await keys.read(reference);
    const distribution = state?.distributions.find((entry) => entry.distribution.provider === reference.provider);
    const provider = await providers.read(reference);
    const end = mayYetCome(intent, { state, distribution }, now()) ? 'waiting' : 'settled';
    if (state === undefined || distribution === undefined) {
      // Somebody may be about to write the distribution, and needs the place.
      if (end === 'waiting') return end;
      if (!(await steps.release(reference))) return 'going-on';
      return intent?.attempts === 1 ? lookAgain(intent) : 'settled';
    }
    if (provider === undefined) {
      // A provider can't be removed while it holds a key, so this distribution was never booked.
      await keys.removeDistribution(reference, distribution);
      return 'going-on';
    }

    const step = nextStep(state, distribution);
    if (step === undefined) return end;
    const { refusal } = distribution.distribution;
    if (refusal !== undefined && refusal.retryTime === undefined) return end;
    if (refusal?.retryTime !== undefined && refusal.retryTime > now()) return 'waiting';
    try {
      const lane = isAwaited(intent, now(), waitSeconds) ? 'interactive' : 'background';
      const outcome = await steps.run(step, { reference, provider, state, distribution, lane });
      if (outcome === 'done') return 'going-on';
      if (outcome === 'gone') return 'settled';
      await comeBack(reference, intent, outcome.heldUntil);
      return 'waiting';
    } catch (error) {
      const failure = toAzureFailure(error);
      if (failure === undefined) throw error;
      const { distributedTime } = distribution.distribution;
      const postponed = await postpone({ reference, intent, step, distributedTime }, failure);
      return postponed ? 'waiting' : 'going-on';
    }
  }

  /** Whoever announced it may have slept, may book the place yet, and die then: until nobody lives that long. */
  async function lookAgain(intent: Intent): Promise<Outcome> {
    const dueTime = new Date(now().getTime() + longestRequestSeconds * 1000);
    const kept = await intents.reschedule(intent, { dueTime, attempts: intent.attempts + 1 });
    return kept === undefined ? 'going-on' : 'waiting';
  }

  /** Somebody else is at it, which is no failure: whoever is left when their time is up goes on. */
  async function comeBack(reference: DistributionReference, intent: Intent | undefined, time: Date): Promise<void> {
    const subject: DistributionSubject = { kind: 'distribution', ...reference };
    const stamp = await intents.put(subject, workFrom(intent, graceTime(time), intent?.attempts ?? 0));
    await messaging.wake(reference, stamp, time);
  }

  /**
   * Records why there is no progress and when, if ever, to try again unasked.
   * @returns false if that is no longer what holds the distribution up
   */
  async function postpone(effort: Effort, failure: AzureFailure): Promise<boolean> {
    const { reference, intent } = effort;
    const subject: DistributionSubject = { kind: 'distribution', ...reference };
    const before = intent?.attempts ?? 0;
    // What was put off by ourselves is no failed attempt, but whoever wrote the intent isn't at it any more either.
    const attempts = failure.deferred ? Math.max(1, before) : before + 1;
    switch (failure.kind) {
      case 'refused':
      case 'absent': {
        const recorded = await record(effort, { refusal: { reason: failure.message, time: now() } });
        return recorded && (intent === undefined || intents.remove(intent));
      }
      case 'forbidden':
      case 'shut-out':
      case 'credentials':
      case 'no-such-vault': {
        const time = retryTime(now(), attempts, refusedDelaySeconds);
        await intents.put(subject, workFrom(intent, time, attempts));
        return record(effort, { refusal: { reason: failure.message, time: now(), retryTime: time } });
      }
      case 'conflict':
      case 'throttled':
      case 'unavailable':
      case 'unknown-outcome': {
        const time = laterTime(now(), failure, attempts);
        const stamp = await intents.put(subject, workFrom(intent, graceTime(time), attempts));
        const isOurs = failure.deferred && failure.kind === 'throttled';
        if (!isOurs && !(await record(effort, { delay: failure.message }))) return false;
        await messaging.wake(reference, stamp, time);
        return true;
      }
    }
  }

  /** A process that comes back late must not say of what others have brought further that it can't go on. */
  function record(
    { reference, step, distributedTime }: Effort,
    outcome: { refusal: Refusal } | { delay: string },
  ): Promise<boolean> {
    return amendDistribution(keys, reference, (current, state) => {
      const { refusal: _refusal, delay: _delay, ...rest } = current.distribution;
      const isSame = rest.distributedTime.getTime() === distributedTime.getTime();
      if (!isSame || !isDeepStrictEqual(nextStep(state, current), step)) return undefined;
      return { distribution: { ...rest, ...outcome } };
    });
  }

  return { reconcile };
}

/** What was announced may still come. */
function workFrom(intent: Intent | undefined, dueTime: Date, attempts: number): Work {
  return { dueTime, attempts, ...(intent?.announced && { announced: intent.announced }) };
}

/** Who knows when there will be room knows better than any rule. */
function laterTime(now: Date, { kind, deferred, retryAfterSeconds }: AzureFailure, attempts: number): Date {
  const known = deferred || kind === 'throttled' ? retryAfterSeconds : undefined;
  if (known !== undefined) return retryTime(now, 1, known);
  return retryTime(now, attempts, Math.max(unavailableDelaySeconds, retryAfterSeconds ?? 0));
}

/** Credentials that stopped making sense, as after a change of the environment, are Azure's refusal come early. */
function toAzureFailure(error: unknown): AzureFailure | undefined {
  if (isAzureFailure(error)) return error;
  if (isKeyfleetError(error, 'invalid_request'))
    return new AzureFailure('credentials', error.message, { cause: error });
  return undefined;
}
