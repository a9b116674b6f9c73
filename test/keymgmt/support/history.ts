import { expect } from 'vitest';
import { isAzureFailure } from '../../../src/azure-failure.ts';
import { isKeyfleetError } from '../../../src/errors.ts';
import type { DistributionReference } from '../../../src/messaging/index.ts';
import { nextStep } from '../../../src/reconcile/plan.ts';
import type { DistributionState } from '../../../src/state/key-records.ts';
import { handleMessage, openHouse, settle, type House, type World } from '../../support/house.ts';
import { isCrash, type Interrupt, type Interruption, type Room } from '../../support/interruptions.ts';
import {
  checkAgreement,
  checkAlways,
  isStuck,
  keyNames,
  mount,
  writeProviders,
  type VaultOf,
} from '../../support/invariants.ts';
import { watchOver, type Wishes } from '../../support/witness.ts';
import type { HeldKey } from '../../support/world.ts';
import { createModel, type Model, type Reading, type Refusal, type Request } from './model.ts';
import type { Deed, People } from './people.ts';
import { createReader, perform, resolved, type Step } from './requests.ts';

export interface Cut {
  /** Number of the call, counted through all processes of a history; of those to `room`, if one is named. */
  call: number;
  room?: Room;
  how: Interruption;
}

/** What histories came to, all together. */
export interface Tally {
  steps: number;
  requests: number;
  refused: number;
  /** Requests whose outcome the caller couldn't know. */
  unknown: number;
  interruptions: number;
  calls: number;
  changes: number;
  foreign: number;
  /** What people did in the vaults past the service. */
  deeds: number;
  divergences: number;
  /** Most cycles that a history needed to converge. */
  cycles: number;
}

export function newTally(): Tally {
  return {
    steps: 0,
    requests: 0,
    refused: 0,
    unknown: 0,
    interruptions: 0,
    calls: 0,
    changes: 0,
    foreign: 0,
    deeds: 0,
    divergences: 0,
    cycles: 0,
  };
}

export interface HistoryOptions {
  world: World;
  steps: readonly Step[];
  cuts: readonly Cut[];
  vaultOf: VaultOf;
  tally: Tally;
  /** Whoever does things in the vaults past the service. */
  people?: (house: House, vaultOf: VaultOf) => People;
}

/** Cycles that everything may take to converge once nothing fails any more. */
const mostCycles = 3;
/** Longer than any pause that failures earn, and one sweep more. */
const longestPauseSeconds = 3600 + 120;

/** Lets a service live through one history, and holds all that a caller can see against the model after every step. */
export async function runHistory({ world, steps, cuts, vaultOf, tally, ...rest }: HistoryOptions): Promise<void> {
  const calm = openHouse(world);
  await writeProviders(calm, vaultOf);
  await world.reuseExchangeKeys(calm);
  let model = createModel();
  for (const provider of ['p', 'q']) model.apply({ kind: 'write-provider', provider, vault: vaultOf(provider) });

  const wishes: Wishes = { removals: new Set(), minimums: new Map() };
  const foreign = new Map<string, readonly HeldKey[]>();
  const latest = new Map<string, number>();
  const read = createReader(calm);
  let seen = await read();
  const vaultNow: VaultOf = (provider) => seen.providers[provider]?.vault ?? vaultOf(provider);
  const people = rest.people?.(calm, vaultNow);
  const vigil = watchOver(world, { house: calm, mount, wishes, foreign, ...(people && { added: people.added }) });

  const interrupt = interruptBy(cuts);
  let house = openHouse(world, interrupt, () => othersGoOn(world));
  function restart(): void {
    tally.calls += house.interruptions.calls;
    tally.interruptions += house.interruptions.taken;
    house = openHouse(world, interrupt, () => othersGoOn(world));
  }

  for (const taken of steps) {
    const step = resolved(taken, vaultOf);
    tally.steps++;
    // What a request that was refused left under way may have been its end since.
    if (house.interruptions.dead) restart();
    const before = model.copy();
    const takenBefore = house.interruptions.taken;
    const outcome = await take(step);
    const disturbed = house.interruptions.taken > takenBefore;
    if (house.interruptions.dead) restart();
    seen = await read();
    model = isRequest(step) ? agree({ step, outcome, disturbed, before, seen }) : followed(model, seen, step);
    await checkAlways(world, calm, latest, vaultNow, { ...(people && { meddled: people }) });
    expect(vigil.violations.join('; ')).toBe('');
  }

  restart();
  if (people !== undefined) await haveAllRepaired();
  const cycles = await converge(world, openHouse(world), isLeft);
  tally.cycles = Math.max(tally.cycles, cycles);
  expect(cycles, 'cycles to convergence').toBeLessThanOrEqual(mostCycles);
  expect(await settle(world, openHouse(world)), 'nothing is left to see to').toBe(true);
  model.trust();
  seen = await read();
  followed(model, seen, undefined);
  await checkAgreement(world, calm, vaultNow, {
    foreign: new Set(foreign.keys()),
    ...(people && { meddled: people }),
  });
  for (const [place, held] of foreign) expect(contentsAt(place), 'nothing foreign is touched').toEqual(held);
  expect(vigil.violations.join('; ')).toBe('');
  tally.changes += vigil.changes;

  async function take(step: Step): Promise<Outcome> {
    if (isRequest(step)) note(step);
    try {
      await act(step);
      return house.interruptions.dead ? 'unknown' : 'accepted';
    } catch (error) {
      return outcomeOf(error);
    }
  }

  async function act(step: Step): Promise<void> {
    switch (step.kind) {
      case 'message':
        for (let times = step.twice ? 2 : 1; times > 0; times--) {
          // A duplicate is a wake-up like any other.
          if (!(await handleMessage(world, house, step.index))) return;
        }
        return;
      case 'sweep':
        return house.sweep();
      case 'restart':
        return restart();
      case 'pass':
        return world.pass(step.seconds);
      case 'foreign':
        return putForeign(step);
      case 'person':
        return meddle(step);
      case 'check':
        return house.check({ mount, provider: step.provider });
      case 'look': {
        const provider = await house.state.providers.read({ mount, provider: step.provider });
        if (provider !== undefined) await house.look({ mount, key: step.key, provider: step.provider });
        return;
      }
      default:
        return perform(house, step);
    }
  }

  async function meddle(step: Deed): Promise<void> {
    if (people === undefined || !(await people.perform(step))) return;
    tally.deeds++;
    if (step.does === 'delete' || step.does === 'purge') model.lose(step.key, step.provider);
  }

  /** Nobody leaves anything as it is any more, and everything is looked at. */
  async function haveAllRepaired(): Promise<void> {
    for (const provider of Object.keys(seen.providers)) {
      await calm.providers.write({ mount, provider }, { drift: 'repair' });
    }
    for (const reference of await distributedCopies(calm)) await calm.look(reference);
  }

  /** Whether it is left as it is because of what a person did. */
  function isLeft(entry: DistributionState): boolean {
    const { provider, kmsName } = entry.distribution;
    return isStuck(entry) && (people?.copies.has(`${vaultNow(provider)}/${kmsName}`) ?? false);
  }

  /** What is asked for now may have happened whatever the answer is. */
  function note(step: Request): void {
    tally.requests++;
    const trial = model.copy();
    if (trial.apply(step) !== 'accepted') return;
    if (step.kind === 'remove') wishes.removals.add(`${step.key}/${step.provider}`);
    if (step.kind === 'write-key' && step.minimum !== undefined) {
      wishes.minimums.set(step.key, Math.max(step.minimum, wishes.minimums.get(step.key) ?? 1));
    }
  }

  function agree({ step, outcome, disturbed, before, seen }: Judged): Model {
    const after = before.copy();
    const rule = after.apply(step);
    if (outcome === 'unknown') tally.unknown++;
    if (outcome === rule || (rule === 'accepted' && outcome === 'unknown' && mayFail(step, before, disturbed))) {
      if (outcome !== 'accepted' && outcome !== 'unknown') tally.refused++;
      if (disturbed) for (const model of [before, after]) model.doubt(step);
      const possible = outcome === 'unknown' ? [after, before] : [rule === 'accepted' ? after : before];
      const found = possible.find((model) => isReadAs(model, seen));
      if (found === undefined) return diverged({ possible: possible.map((model) => model.reading()), seen, step });
      if (found === after && rule === 'accepted') forgetWishes(step, before);
      return found;
    }
    if (disturbed || before.isDoubtful(step)) {
      // A list in doubt may refuse what the rules allow, and a fault what they refuse; neither changes anything.
      if (disturbed) before.doubt(step);
      if (isReadAs(before, seen)) return before;
    }
    if (disturbed && outcome === 'accepted') {
      // While it was slow, what stood in its way may have come to its end: a removal that others completed.
      const later = before.copy();
      later.follow(seen);
      if (later.apply(step) === 'accepted' && isReadAs(later, seen)) return later;
    }
    return diverged({ step, expected: rule, outcome, disturbed });
  }

  /** A key that is gone, or a copy that is made anew, has nothing to do with what was asked of the one before. */
  function forgetWishes(step: Request, before: Model): void {
    if (step.kind === 'delete-key') wishes.minimums.delete(step.key);
    if (step.kind !== 'distribute') return;
    const existed = before.reading().keys[step.key]?.copies[step.provider] !== undefined;
    if (!existed) wishes.removals.delete(`${step.key}/${step.provider}`);
  }

  function followed(before: Model, seen: Reading, step: Step | undefined): Model {
    return isReadAs(before, seen) ? before : diverged({ step, expected: before.reading(), seen });
  }

  function diverged(how: object): never {
    tally.divergences++;
    throw new Error(`the service and the model disagree:\n${JSON.stringify(how)}`);
  }

  function contentsAt(place: string): readonly HeldKey[] | undefined {
    const [vault = '', name = ''] = place.split('/');
    return world.contents(vault).get(name);
  }

  async function putForeign({ provider, key, place, tagged }: Step & { kind: 'foreign' }): Promise<void> {
    const vault = vaultNow(provider);
    const seconds = Math.floor(world.now().getTime() / 1000);
    const name = place === 'next-name' ? `${key}-${seconds}` : `somebody-${seconds}`;
    if (world.contents(vault).has(name)) return;
    const tags: Record<string, string> = tagged
      ? { 'keyfleet-key': `elsewhere/${provider}/${key}`, 'keyfleet-version': '1' }
      : {};
    try {
      await world.putForeign(vault, name, tags);
    } catch (error) {
      // The name may be that of a deleted key.
      if (isAzureFailure(error, 'conflict')) return;
      throw error;
    }
    tally.foreign++;
    foreign.set(`${vault}/${name}`, contentsAt(`${vault}/${name}`) ?? []);
  }
}

function interruptBy(cuts: readonly Cut[]): Interrupt {
  const plan = new Map(cuts.map(({ call, room, how }) => [`${room ?? ''} ${call}`, how]));
  const calls = { all: 0, table: 0, queue: 0, vault: 0 };
  return (_call, room) => {
    const [number, numberInRoom] = [calls.all++, calls[room]++];
    return plan.get(` ${number}`) ?? plan.get(`${room} ${numberInRoom}`);
  };
}

type Outcome = 'accepted' | 'unknown' | Refusal;

interface Judged {
  step: Request;
  outcome: Outcome;
  /** Whether a call was interrupted meanwhile. */
  disturbed: boolean;
  before: Model;
  seen: Reading;
}

const requestKinds: readonly string[] = [
  'write-key',
  'rotate',
  'delete-key',
  'distribute',
  'remove',
  'write-provider',
  'delete-provider',
];

function isRequest(step: Step): step is Request {
  return requestKinds.includes(step.kind);
}

/** Also takes over what may have happened by itself. */
function isReadAs(model: Model, seen: Reading): boolean {
  model.follow(seen);
  return JSON.stringify(model.reading()) === JSON.stringify(seen);
}

/** What a caller hears; everything that isn't a matter of rules leaves the outcome open. */
function outcomeOf(error: unknown): Outcome {
  if (isCrash(error)) return 'unknown';
  if (error instanceof AggregateError) return error.errors.map(outcomeOf).includes('unknown') ? 'unknown' : fail(error);
  if (isAzureFailure(error) || isKeyfleetError(error, 'unavailable', 'upstream_refused')) return 'unknown';
  if (isKeyfleetError(error, 'invalid_request', 'conflict', 'not_found')) return error.code as Refusal;
  return fail(error);
}

function fail(error: unknown): never {
  throw error;
}

/** Whether a request that the rules allow may fail: something went wrong meanwhile, or a vault has refused before. */
function mayFail(step: Request, before: Model, disturbed: boolean): boolean {
  if (disturbed) return true;
  if (!('key' in step)) return false;
  return Object.keys(before.reading().keys[step.key]?.copies ?? {}).length > 0;
}

/** While one process hangs, its locks end and another one sees to everything. */
export async function othersGoOn(world: World): Promise<void> {
  world.pass(90);
  const other = openHouse(world);
  await other.sweep();
  while (await handleMessage(world, other));
}

/**
 * Lets the pauses end that failures earned; then every cycle is one sweep, all the messages there are, and one look at every copy.
 * @returns cycles until every vault agreed
 */
export async function converge(
  world: World,
  house: House,
  isLeft: (entry: DistributionState) => boolean = () => false,
): Promise<number> {
  world.pass(longestPauseSeconds);
  for (let cycle = 1; cycle <= mostCycles; cycle++) {
    await house.sweep();
    while (await handleMessage(world, house));
    if (await isAgreed(house, isLeft)) return cycle;
    for (const reference of await distributedCopies(house)) await house.look(reference);
    world.pass(60);
  }
  return Infinity;
}

export async function distributedCopies(house: House): Promise<DistributionReference[]> {
  const states = await Promise.all(keyNames.map((key) => house.state.keys.read({ mount, key })));
  return states.flatMap((state) =>
    (state?.distributions ?? []).map(({ distribution: { provider } }) => ({
      mount,
      key: state?.reference.key ?? '',
      provider,
    })),
  );
}

async function isAgreed(house: House, isLeft: (entry: DistributionState) => boolean): Promise<boolean> {
  const states = await Promise.all(keyNames.map((key) => house.state.keys.read({ mount, key })));
  return states.every(
    (state) => state?.distributions.every((entry) => isLeft(entry) || nextStep(state, entry) === undefined) ?? true,
  );
}
