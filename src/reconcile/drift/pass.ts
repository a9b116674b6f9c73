import { randomUUID } from 'node:crypto';
import { isAzureFailure, type AzureFailure } from '../../azure-failure.ts';
import { isKeyfleetError } from '../../errors.ts';
import type { Messaging } from '../../messaging/index.ts';
import type { HeldKey, InspectionRecord, InspectionStore } from '../../state/inspections.ts';
import type { IntentStore } from '../../state/intents.ts';
import type { KeyStore } from '../../state/keys.ts';
import type { ProviderReference, ProviderStore } from '../../state/providers.ts';
import type { Targets } from '../target.ts';
import { createBacklog } from './backlog.ts';
import { createExaminer, type Progress, type Visit } from './examine.ts';
import { createExtras } from './extras.ts';
import { isDeviating, listVault, readByName, type Suspect, type Suspects } from './listing.ts';
import type { Look } from './look.ts';
import { lightIntervalSeconds, thoroughIntervalSeconds, thoroughlyReadSeconds } from './schedule.ts';

/** After so long the rest is left to another message: the shorter each is, the less is in the way of others. */
const messageSeconds = 45;

/** A list can't be taken up where it was left; it has to come to its end well before the host stops the function. */
const listSeconds = 400;

/** How long what a part of the list showed may be looked at before the list goes on. */
const examineSeconds = 20;

/** When a pass that was put off is tried again, at the soonest; and where the vault itself wanted it so. */
const putOffSeconds = 5;
const throttledSeconds = 30;

/** What clocks may differ by, and more: a message may come before its time. */
const skewSeconds = 2;

/** Looks through a provider's vault for what somebody changed there. Never changes anything in it. */
export interface DriftPass {
  /**
   * May be called any number of times, several at once too. What the vault doesn't let us see is recorded; throws only if
   * Keyfleet's own state or queue failed.
   */
  run(reference: ProviderReference): Promise<void>;
}

export interface DriftPassOptions {
  providers: ProviderStore;
  inspections: InspectionStore;
  intents: IntentStore;
  keys: KeyStore;
  targets: Targets;
  messaging: Messaging;
  look: Look;
  now: () => Date;
}

interface Pass extends Visit {
  progress: InspectionRecord;
  /** Whether the vault is needed for work that somebody asked for. */
  isBusy: () => Promise<boolean>;
}

export function createDriftPass(options: DriftPassOptions): DriftPass {
  const { providers, inspections, intents, targets, messaging, now } = options;
  const examiner = createExaminer(options);
  const extras = createExtras(options);
  const inSeconds = (seconds: number, time = now()) => new Date(time.getTime() + seconds * 1000);

  async function run(reference: ProviderReference): Promise<void> {
    const provider = await providers.read(reference);
    if (provider === undefined) return;
    const before = await inspections.read(reference, provider.createdTime);
    const { failure, failureTime, ...known } = before ?? { ...nothingSeen, providerCreatedTime: provider.createdTime };
    const progress: InspectionRecord = { ...known };
    const began = now();
    try {
      const vault = targets.open(provider, 'background');
      const isBusy = createBacklog({ intents, now }, reference);
      const reached = await goOn({ reference, provider, vault, began, progress, isBusy });
      if (reached !== 'more') delete progress.goingOn;
      await inspections.write(reference, progress);
      if (reached === 'more') await messaging.check(reference, randomUUID());
    } catch (error) {
      if (!isAzureFailure(error) && !isKeyfleetError(error, 'invalid_request')) throw error;
      // To have put off a call says nothing about the vault: what was wrong with it before is what is known.
      const isPutOff = isAzureFailure(error, 'throttled') && error.deferred;
      const last = { ...(failure !== undefined && { failure }), ...(failureTime && { failureTime }) };
      // What its list showed was seen, also in a message before this one.
      const passBegan = (progress.goingOn && progress.lightTime) || began;
      const told = isPutOff ? last : { failure: error.message, failureTime: passBegan };
      const comeBackTime = isAzureFailure(error, 'throttled') ? nextTry(error) : undefined;
      // Who comes at other times, as every quarter of an hour, doesn't come back too: there would be more and more.
      const isAwaited = progress.comeBackTime !== undefined && progress.comeBackTime > inSeconds(skewSeconds);
      const isNew = comeBackTime !== undefined && !isAwaited;
      if (isNew) await messaging.check(reference, randomUUID(), comeBackTime);
      await inspections.write(reference, { ...progress, ...told, ...(isNew && { comeBackTime }) });
    }
  }

  function nextTry({ deferred, retryAfterSeconds = 0 }: AzureFailure): Date {
    return inSeconds(Math.max(retryAfterSeconds, deferred ? putOffSeconds : throttledSeconds));
  }

  async function goOn(pass: Pass): Promise<Progress> {
    const { progress, began } = pass;
    const isListed =
      progress.goingOn === true &&
      progress.lightTime !== undefined &&
      inSeconds(lightIntervalSeconds / 2, progress.lightTime) > began;
    let isAnyOwed = isListed;
    if (!isListed) {
      delete progress.goingOn;
      delete progress.owedCursor;
      const light = await lightPass(pass);
      if (light.reached !== 'done') return light.reached;
      isAnyOwed = light.isAnyOwed;
      progress.goingOn = true;
      if (light.isLeft) return 'more';
    }
    const owed = isAnyOwed ? await payOwed(pass) : 'done';
    return owed === 'done' ? thoroughPass(pass, isAnyOwed) : owed;
  }

  /** @returns `isLeft`: for some of what it found there was no time */
  async function lightPass(pass: Pass): Promise<{ reached: Progress; isAnyOwed: boolean; isLeft: boolean }> {
    const { reference, provider, vault, began, progress } = pass;
    const drift = provider.drift ?? 'repair';
    let isLeft = false;
    const examine = async (suspects: Suspects) => {
      if ((await examiner.examine(pass, suspects, inSeconds(examineSeconds))) === 'more') isLeft = true;
    };
    const held = () => inspections.held(reference);
    try {
      const until = inSeconds(listSeconds, began);
      const judgeAnew = drift !== progress.drift;
      const listing = await listVault({ vault, reference, held, judgeAnew, examine, until, now });
      progress.mayList = true;
      progress.drift = drift;
      Object.assign(progress, await extras.confirm(pass, listing.strangers, progress.extras));
      progress.lightTime = began;
      delete progress.lightBegan;
      delete progress.lightCursor;
      return { reached: 'done', isAnyOwed: listing.isAnyOwed, isLeft };
    } catch (error) {
      if (!isAzureFailure(error, 'forbidden')) throw error;
    }
    progress.mayList = false;
    const reached = await lightPassByName(pass);
    if (reached === 'done') progress.drift = drift;
    return { reached, isAnyOwed: reached === 'done', isLeft };
  }

  async function lightPassByName(pass: Pass): Promise<Progress> {
    const { provider, vault, began, progress } = pass;
    const isJudgedAnew = (provider.drift ?? 'repair') !== progress.drift;
    const isLate = began > inSeconds(2 * lightIntervalSeconds, progress.lightTime ?? provider.createdTime);
    const reached = await examiner.walk(pass, {
      after: progress.lightCursor,
      find: async (held) => (isJudgedAnew && isDeviating(held) ? asItWas(held) : readByName(vault, held)),
      remember(key) {
        progress.lightBegan ??= began;
        progress.lightCursor = key;
      },
      mayGoOn: async () => isLate || !(await pass.isBusy()),
      depth: { of: 'newest' },
      until: inSeconds(messageSeconds, began),
    });
    if (reached !== 'done') return reached;
    progress.lightTime = progress.lightBegan ?? began;
    delete progress.lightBegan;
    delete progress.lightCursor;
    return reached;
  }

  /** Looks at the keys that there was no time for before. */
  async function payOwed(pass: Pass): Promise<Progress> {
    const { progress, began } = pass;
    const reached = await examiner.walk(pass, {
      after: progress.owedCursor,
      find: async (held) => (held.owed === true ? asItWas(held) : undefined),
      remember: (key) => void (progress.owedCursor = key),
      mayGoOn: async () => true,
      depth: { of: 'all' },
      until: inSeconds(messageSeconds, began),
    });
    return reached;
  }

  /** @param isAnyOwed whether the pass before this one may have left out keys that still haven't been seen */
  async function thoroughPass(pass: Pass, isAnyOwed: boolean): Promise<Progress> {
    const { provider, progress, began } = pass;
    const { thoroughTime } = progress;
    // A new vault's is due as soon as there is time for it.
    const dueTime = thoroughTime ? inSeconds(thoroughIntervalSeconds, thoroughTime) : provider.createdTime;
    if (progress.thoroughBegan === undefined && began < dueTime) return 'done';
    const isLate = began >= inSeconds(thoroughIntervalSeconds, dueTime);
    const reached = await examiner.walk(pass, {
      after: progress.thoroughCursor,
      find: async (held) => asItWas(held),
      remember(key) {
        progress.thoroughBegan ??= began;
        progress.thoroughCursor = key;
      },
      mayGoOn: async () => isLate || !(await pass.isBusy()),
      depth: { of: 'all', readSince: inSeconds(-thoroughlyReadSeconds, progress.thoroughBegan ?? began) },
      until: inSeconds(messageSeconds, began),
    });
    if (reached !== 'done') return reached;
    if (thoroughTime !== undefined && !isAnyOwed) progress.earlierThoroughTime = thoroughTime;
    progress.thoroughTime = progress.thoroughBegan ?? began;
    delete progress.thoroughBegan;
    delete progress.thoroughCursor;
    return reached;
  }

  return { run };
}

const nothingSeen = { mayList: true, drift: 'repair', extras: [], extraCount: 0 } as const;

function asItWas(held: HeldKey): Suspect {
  return { held, seen: held.seen ?? '' };
}
