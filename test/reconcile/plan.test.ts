import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep, type Step } from '../../src/reconcile/plan.ts';
import type { Deviation, DistributionState, KeyState, PlacementRecord } from '../../src/state/key-records.ts';
import { runsOf } from '../support/runs.ts';

const time = new Date(0);

/** What is recorded of a vault after the steps so far: version -> enabled, in the order in which they were imported. */
type Held = Map<number, boolean>;
const nothingUnsure: ReadonlySet<number> = new Set();

function stateOf(
  latestVersion: number,
  minEnabledVersion: number,
  held: Held,
  { removing = false, unsure = nothingUnsure } = {},
): [KeyState, DistributionState] {
  const placements: PlacementRecord[] = [...held]
    .sort(([left], [right]) => left - right)
    .map(([version, enabled]) => ({
      ...{ provider: 'p', version, kmsVersion: `v${version}`, enabled, confirmedTime: time },
      ...(unsure.has(version) && { unsure: true }),
    }));
  const distribution: DistributionState = {
    distribution: {
      provider: 'p',
      kmsName: 'k-1',
      purpose: ['sign'],
      protection: 'hsm',
      distributedTime: time,
      removing,
      etag: '',
    },
    placements,
  };
  const state: KeyState = {
    reference: { mount: 'm', key: 'k' },
    key: {
      type: 'rsa-2048',
      latestVersion,
      minEnabledVersion,
      deletionAllowed: false,
      createdTime: time,
      deleting: false,
      etag: '',
    },
    versions: Array.from({ length: latestVersion }, (_, index) => ({
      version: index + 1,
      createdTime: time,
      publicKey: Buffer.alloc(0),
    })),
    distributions: [distribution],
  };
  return [state, distribution];
}

function apply(step: Step, held: Held): void {
  if (step.kind === 'import') held.set(step.version, step.enabled);
  else if (step.kind === 'set-enabled') held.set(step.version, step.enabled);
  else if (step.kind === 'remove') held.clear();
}

/**
 * A key's life as the vault sees it: rotations and changes of the minimum, with the reconciler stepping in between. An
 * `unseen` step ends without anybody seeing whether it had its effect.
 */
const history = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.constant({ kind: 'rotate' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('minimum' as const),
        percent: fc.integer({ min: 0, max: 100 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('steps' as const), count: fc.integer({ min: 1, max: 6 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('unseen' as const), effect: fc.boolean() }) },
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

describe('the next step', () => {
  it('keeps a working version at every moment, imports in order, and comes to an end that agrees, whatever went unseen', () => {
    const counts = { unseen: 0, doubted: 0 };
    fc.assert(
      fc.property(history, (events) => {
        let latest = 1;
        let minimum = 1;
        const recorded: Held = new Map();
        const unsure = new Set<number>();
        const actual: Held = new Map();
        const stepOnce = ({ seen, effect }: { seen: boolean; effect: boolean }): boolean => {
          const step = nextStep(...stateOf(latest, minimum, recorded, { unsure }));
          if (step === undefined) return false;
          const hadEnabled = [...actual.values()].includes(true);
          if (step.kind === 'import') expect(step.version).toBe(recorded.size + 1);
          if (step.kind === 'set-enabled' && !step.enabled) {
            expect(recorded.get(latest), 'the newest is confirmed and enabled before anything is disabled').toBe(true);
            expect(unsure.has(latest), 'and known to be').toBe(false);
            expect(step.version).toBeLessThan(minimum);
          }
          if (effect) apply(step, actual);
          if (seen) apply(step, recorded);
          if (step.kind === 'set-enabled') {
            if (unsure.has(step.version)) counts.doubted++;
            if (seen) unsure.delete(step.version);
            else unsure.add(step.version);
          }
          if (hadEnabled) expect([...actual.values()]).toContain(true);
          return true;
        };
        for (const event of events) {
          if (event.kind === 'rotate') latest++;
          else if (event.kind === 'minimum') minimum = Math.round((event.percent / 100) * latest);
          else if (event.kind === 'unseen') {
            // An import is looked for before it is made again, which this doesn't know: none of them goes unseen.
            while (nextStep(...stateOf(latest, minimum, recorded, { unsure }))?.kind === 'import') {
              stepOnce({ seen: true, effect: true });
            }
            if (stepOnce({ seen: false, effect: event.effect })) counts.unseen++;
          } else for (let count = 0; count < event.count && stepOnce({ seen: true, effect: true }); count++);
        }
        let steps = 0;
        while (stepOnce({ seen: true, effect: true })) expect(++steps).toBeLessThan(200);
        expect(unsure.size).toBe(0);
        for (let version = 1; version <= latest; version++) {
          expect(recorded.get(version)).toBe(version >= minimum);
          expect(actual.get(version)).toBe(version >= minimum);
        }
      }),
      { numRuns: 2000 },
    );
    console.log(`${counts.unseen} steps ended unseen, ${counts.doubted} were made once more`);
    expect(counts.doubted).toBeGreaterThan(0);
  });

  it('imports versions below the minimum disabled, before the ones above', () => {
    const held: Held = new Map();
    expect(nextStep(...stateOf(3, 3, held))).toEqual({ kind: 'import', version: 1, enabled: false });
  });

  it('enables again when the minimum becomes 0', () => {
    const held: Held = new Map([
      [1, false],
      [2, true],
    ]);
    expect(nextStep(...stateOf(2, 0, held))).toEqual({
      kind: 'set-enabled',
      version: 1,
      kmsVersion: 'v1',
      enabled: true,
    });
  });

  it('never works against itself, whatever somebody did: disables nothing while the newest is of no use, touches nothing that is left alone or isn’t ours', () => {
    const deviations = fc.subarray<Deviation>(['missing', 'material', 'operations', 'tags', 'enabled']);
    const placement = fc.record({
      ...{ placed: fc.boolean(), enabled: fc.boolean(), deviations },
      unsure: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
    });
    const drift = fc.constantFrom(undefined, 'report' as const, 'ignore' as const, 'mend' as const);
    fc.assert(
      fc.property(
        fc.array(placement, { minLength: 1, maxLength: 5 }),
        fc.nat({ max: 5 }),
        drift,
        (drawn, minimum, policy) => {
          const [state, entry] = stateOf(drawn.length, Math.min(minimum, drawn.length), new Map());
          const placements = drawn.flatMap(({ placed, enabled, deviations, unsure }, index): PlacementRecord[] =>
            placed
              ? [
                  {
                    provider: 'p',
                    version: index + 1,
                    kmsVersion: `v${index + 1}`,
                    enabled,
                    confirmedTime: time,
                    ...(deviations.length > 0 && { deviations }),
                    ...(unsure && { unsure }),
                  },
                ]
              : [],
          );
          const distribution = { ...entry.distribution, ...(policy && { drift: policy }) };
          const step = nextStep(state, { distribution, placements });
          const leaves = policy === 'report' || policy === 'ignore';
          const found = (version: number) => placements.find((entry) => entry.version === version);
          const isMissing = (version: number) => found(version)?.deviations?.includes('missing') ?? false;
          const present = placements.filter(({ version }) => !isMissing(version));
          if (leaves) expect(['mend', 'restore']).not.toContain(step?.kind);
          if (step?.kind === 'restore') expect(present).toEqual([]);
          if (step?.kind === 'import' && found(step.version) !== undefined) {
            expect(leaves || !isMissing(step.version), 'imports again only what is gone, if that may be').toBe(false);
            expect(
              present.every(({ version }) => version < step.version),
              'never puts an old one on top',
            ).toBe(true);
          }
          if (step?.kind === 'set-enabled' || step?.kind === 'mend') {
            const before = found(step.version)?.deviations ?? [];
            expect(before).not.toContain('missing');
            expect(before).not.toContain('material');
            if (leaves) expect(before).not.toContain('enabled');
            if (step.kind === 'mend') expect(found(step.version)?.unsure).toBeUndefined();
          }
          if (step?.kind === 'set-enabled' && !step.enabled) {
            const newest = found(state.key.latestVersion);
            expect(newest).toMatchObject({ enabled: true });
            expect(newest?.unsure).toBeUndefined();
            for (const bad of ['missing', 'material', 'operations'] as const) {
              expect(newest?.deviations ?? []).not.toContain(bad);
            }
          }
        },
      ),
      runsOf({ usually: 5000, long: 100_000 }),
    );
  });

  it('has nothing but removal in mind for what is to leave', () => {
    expect(nextStep(...stateOf(2, 1, new Map(), { removing: true }))).toEqual({ kind: 'remove' });
  });
});
