import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep, type Step } from '../../src/reconcile/plan.ts';
import type { Deviation, DistributionState, KeyState, PlacementRecord } from '../../src/state/key-records.ts';
import { runsOf } from '../support/runs.ts';

const time = new Date(0);

/** What a vault holds after the steps so far: version -> enabled, in the order in which they were imported. */
type Held = Map<number, boolean>;

function stateOf(
  latestVersion: number,
  minEnabledVersion: number,
  held: Held,
  removing = false,
): [KeyState, DistributionState] {
  const placements: PlacementRecord[] = [...held]
    .sort(([left], [right]) => left - right)
    .map(([version, enabled]) => ({ provider: 'p', version, kmsVersion: `v${version}`, enabled, confirmedTime: time }));
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

/** A key's life as the vault sees it: rotations and changes of the minimum, with the reconciler stepping in between. */
const history = fc.array(
  fc.oneof(
    fc.constant({ kind: 'rotate' as const }),
    fc.record({ kind: fc.constant('minimum' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ kind: fc.constant('steps' as const), count: fc.integer({ min: 1, max: 4 }) }),
  ),
  { maxLength: 30 },
);

describe('the next step', () => {
  it('keeps a working version at every moment, imports in order, and comes to an end that agrees', () => {
    fc.assert(
      fc.property(history, (events) => {
        let latest = 1;
        let minimum = 1;
        const held: Held = new Map();
        const stepOnce = (): boolean => {
          const step = nextStep(...stateOf(latest, minimum, held));
          if (step === undefined) return false;
          const hadEnabled = [...held.values()].includes(true);
          if (step.kind === 'import') expect(step.version).toBe(held.size + 1);
          if (step.kind === 'set-enabled' && !step.enabled) {
            expect(held.get(latest), 'the newest is confirmed and enabled before anything is disabled').toBe(true);
            expect(step.version).toBeLessThan(minimum);
          }
          apply(step, held);
          if (hadEnabled) expect([...held.values()]).toContain(true);
          return true;
        };
        for (const event of events) {
          if (event.kind === 'rotate') latest++;
          else if (event.kind === 'minimum') minimum = Math.round(event.share * latest);
          else for (let count = 0; count < event.count && stepOnce(); count++);
        }
        let steps = 0;
        while (stepOnce()) expect(++steps).toBeLessThan(200);
        for (let version = 1; version <= latest; version++) expect(held.get(version)).toBe(version >= minimum);
      }),
      { numRuns: 2000 },
    );
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
    const placement = fc.record({ placed: fc.boolean(), enabled: fc.boolean(), deviations });
    const drift = fc.constantFrom(undefined, 'report' as const, 'ignore' as const, 'mend' as const);
    fc.assert(
      fc.property(
        fc.array(placement, { minLength: 1, maxLength: 5 }),
        fc.nat({ max: 5 }),
        drift,
        (drawn, minimum, policy) => {
          const [state, entry] = stateOf(drawn.length, Math.min(minimum, drawn.length), new Map());
          const placements = drawn.flatMap(({ placed, enabled, deviations }, index): PlacementRecord[] =>
            placed
              ? [
                  {
                    provider: 'p',
                    version: index + 1,
                    kmsVersion: `v${index + 1}`,
                    enabled,
                    confirmedTime: time,
                    ...(deviations.length > 0 && { deviations }),
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
          }
          if (step?.kind === 'set-enabled' && !step.enabled) {
            const newest = found(state.key.latestVersion);
            expect(newest?.enabled).toBe(true);
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
    expect(nextStep(...stateOf(2, 1, new Map(), true))).toEqual({ kind: 'remove' });
  });
});
