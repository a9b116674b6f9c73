import { afterAll, expect, it } from 'vitest';
import type { VersionState } from '../../src/keymgmt/status.ts';
import type { DriftPolicy } from '../../src/state/providers.ts';
import { distribution, provider, setAgreedScene, setScene, type OddityScene } from './oddity-scene.ts';

export type Deed = (scene: OddityScene) => unknown;

/** Something odd, and what comes of it. */
export interface Oddity {
  /** What happens. */
  name: string;
  policy?: DriftPolicy;
  versions?: number;
  minimum?: number;
  /** Before the key is asked to be in the vault. Absent, as is `during`: it is there already, and agreed. */
  before?: Deed;
  /** Asked for and not done yet. */
  during?: Deed;
  /** Once the vault agreed. */
  after?: Deed;
  outcome: Outcome;
  /** Ends it; `then` is what comes of that. */
  until?: Deed;
  then?: Outcome;
}

export interface Outcome {
  /** What it is called. */
  name: string;
  /** What the distribution warns of, all of it joined; '' if of nothing. Absent: there is no distribution any more. */
  warns?: string | RegExp;
  /** The state of every version, as the status tells it. */
  states?: readonly VersionState[];
  notes?: RegExp;
  /** Why the last look saw less. */
  failure?: RegExp;
  /** Of the key under its name in the vault; see the scene's `picture`. */
  shows: string;
  /** What lies there beside: pictures of other keys, key exchange keys left out. */
  beside?: readonly string[];
  /** Whether something is left to be tried again. */
  isOpen?: boolean;
  extra?: number;
}

const rounds = 3;
const counts = { cases: 0, outcomes: new Map<string, number>(), changes: 0, harm: 0 };

/** The vault holds what it should, and reads have shown it. */
export function agreement(versions: number, rest: Partial<Outcome> = {}): Outcome {
  const numbers = Array.from({ length: versions }, (_, index) => index + 1);
  return {
    name: 'agreement',
    warns: '',
    states: numbers.map(() => 'confirmed' as const),
    shows: numbers.join(' '),
    ...rest,
  };
}

async function check(scene: OddityScene, outcome: Outcome): Promise<void> {
  let settled = true;
  for (let round = 0; round < rounds; round++) settled = await scene.cycle();
  const { warns, states, notes, failure, shows, beside = [], isOpen = false, extra = 0 } = outcome;
  const { house, vault } = scene;
  expect(await scene.picture(), 'the vault').toBe(shows);
  const name = await scene.kmsName();
  const others = [...vault.held.keys()].filter((other) => other !== name && !other.startsWith('keyfleet-kek-'));
  expect(await Promise.all(others.map((other) => scene.picture(other))), 'beside it').toEqual(beside);

  const read = await house.distributions.read(distribution);
  const status = await house.status(provider, { limit: 10 });
  const entry = status?.keys[0];
  if (warns === undefined) expect(read).toBeUndefined();
  else if (typeof warns === 'string') expect(read?.warnings.join('; ')).toBe(warns);
  else expect(read?.warnings.join('; ')).toMatch(warns);
  expect(entry?.versions.map(({ state }) => state)).toEqual(states);
  expect(entry?.notes.join('; ') ?? '').toMatch(notes ?? /^$/);
  expect(status?.inspection?.failure ?? '').toMatch(failure ?? /^$/);
  expect(status?.inspection?.extraCount).toBe(extra);
  for (const { state, reason } of entry?.versions ?? []) {
    if (state === 'unknown') expect(reason).toMatch(/^not read for \d+ seconds; before that it was /);
  }
  expect(settled).toBe(!isOpen);
  expect(scene.harm).toEqual([]);
  counts.outcomes.set(outcome.name, (counts.outcomes.get(outcome.name) ?? 0) + 1);
}

async function play({ policy, versions, minimum, before, during, after, outcome, until, then }: Oddity) {
  const size = { ...(versions !== undefined && { versions }), ...(minimum !== undefined && { minimum }) };
  const isNew = before !== undefined || during !== undefined;
  const scene = isNew ? await setScene(size) : await setAgreedScene(size);
  if (policy !== undefined) await scene.setPolicy(policy);
  if (isNew) {
    await before?.(scene);
    await scene.distribute();
    await during?.(scene);
    await scene.settle();
    scene.world.pass(5);
  }
  await after?.(scene);
  await check(scene, outcome);
  if (then !== undefined) {
    await until?.(scene);
    await check(scene, then);
  }
  counts.cases++;
  counts.changes += scene.changes.length;
  counts.harm += scene.harm.length;
}

/** Plays each, and tells at the end how many there were and what they came to. */
export function playOddities(oddities: readonly Oddity[]): void {
  it.each(oddities.map((oddity) => [`${oddity.name}: ${oddity.outcome.name}`, oddity] as const))(
    '%s',
    async (_name, oddity) => play(oddity),
    60_000,
  );
  afterAll(() => {
    const outcomes = [...counts.outcomes].map(([name, count]) => `${count} ${name}`).join(', ');
    console.log(`${counts.cases} oddities, ${counts.changes} changes of ours, ${counts.harm} overwrites: ${outcomes}`);
  });
}
