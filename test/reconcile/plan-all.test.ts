import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planAll } from '../../src/reconcile/plan-all.ts';
import type {
  Attempt,
  Deviation,
  DistributionRecord,
  DistributionState,
  KeyState,
  PlacementRecord,
} from '../../src/state/key-records.ts';
import { runsOf } from '../support/runs.ts';

const time = new Date(0);

function stateOf(latestVersion: number, minEnabledVersion: number): KeyState {
  const key = { type: 'rsa-2048', latestVersion, minEnabledVersion, deletionAllowed: false };
  return {
    reference: { mount: 'm', key: 'k' },
    key: { ...key, createdTime: time, deleting: false, etag: '' },
    versions: Array.from({ length: latestVersion }, (_, index) => ({
      version: index + 1,
      createdTime: time,
      publicKey: Buffer.alloc(0),
    })),
    distributions: [],
  };
}

function entryOf(
  placements: readonly Partial<PlacementRecord>[],
  changes: Partial<DistributionRecord> = {},
): DistributionState {
  const distribution = { provider: 'p', kmsName: 'k-1', purpose: ['sign'], protection: 'hsm', distributedTime: time };
  return {
    distribution: { ...distribution, removing: false, etag: '', ...changes },
    placements: placements.map((placement, index) => {
      const version = placement.version ?? index + 1;
      return { provider: 'p', version, kmsVersion: `v${version}`, enabled: true, confirmedTime: time, ...placement };
    }),
  };
}

const attemptAt = (version: number): Attempt => ({ version, until: time, holder: 'h' });
const imports = (version: number, enabled: boolean, conditional = false) =>
  ({ kind: 'import', version, enabled, conditional }) as const;
const sets = (version: number, enabled: boolean) =>
  ({ kind: 'set-enabled', version, kmsVersion: `v${version}`, enabled, conditional: false }) as const;

describe('all steps that are left in a vault', () => {
  it('bring every version there in order, and disable the old ones last', () => {
    expect(planAll(stateOf(3, 2), entryOf([]))).toEqual([imports(1, false), imports(2, true), imports(3, true)]);
    expect(planAll(stateOf(3, 3), entryOf([{}, {}]))).toEqual([imports(3, true), sets(1, false), sets(2, false)]);
  });

  it('are none where the vault agrees', () => {
    expect(planAll(stateOf(2, 1), entryOf([{}, {}]))).toEqual([]);
  });

  it('are conditional where an earlier try may have done them', () => {
    expect(planAll(stateOf(2, 1), entryOf([{}], { attempt: attemptAt(2) }))).toEqual([imports(2, true, true)]);
    expect(planAll(stateOf(2, 1), entryOf([], { attempt: attemptAt(1) }))).toEqual([
      imports(1, true, true),
      imports(2, true),
    ]);
  });

  it('delete what may be in the vault, and nothing that was never sent there', () => {
    const removing = true;
    const deletes = (conditional: boolean) => [{ kind: 'remove', conditional }];
    expect(planAll(stateOf(1, 1), entryOf([], { removing }))).toEqual([]);
    expect(planAll(stateOf(1, 1), entryOf([{}], { removing }))).toEqual(deletes(false));
    expect(planAll(stateOf(1, 1), entryOf([], { removing, attempt: attemptAt(1) }))).toEqual(deletes(true));
    expect(planAll(stateOf(1, 1), entryOf([{}], { removing, attempt: attemptAt(0) }))).toEqual(deletes(true));
  });

  it('mend what somebody did, and import a newest version anew that is gone', () => {
    const entry = entryOf([{ deviations: ['tags'] }, { deviations: ['missing'] }]);
    expect(planAll(stateOf(2, 1), entry)).toEqual([
      imports(2, true, true),
      { kind: 'mend', version: 1, kmsVersion: 'v1', enabled: true, conditional: false },
    ]);
    expect(planAll(stateOf(1, 1), entryOf([{ deviations: ['missing'] }]))).toEqual([
      { kind: 'restore', conditional: true },
    ]);
  });

  it('come to an end, whatever was found in the vault, and none is taken twice', () => {
    const placement = fc.record({
      placed: fc.boolean(),
      enabled: fc.boolean(),
      deviations: fc.subarray<Deviation>(['missing', 'material', 'operations', 'tags', 'enabled']),
      duplicate: fc.option(fc.boolean(), { nil: undefined }),
    });
    const drift = fc.constantFrom(undefined, 'report' as const, 'ignore' as const, 'mend' as const);
    fc.assert(
      fc.property(
        fc.array(placement, { minLength: 1, maxLength: 6 }),
        fc.nat({ max: 6 }),
        drift,
        fc.boolean(),
        (drawn, minimum, policy, removing) => {
          const placements = drawn.flatMap(({ placed, enabled, deviations, duplicate }, index) => {
            const version = index + 1;
            const duplicates = duplicate === undefined ? [] : [{ kmsVersion: `d${version}`, enabled: duplicate }];
            return placed ? [{ version, enabled, deviations, duplicates }] : [];
          });
          const entry = entryOf(placements, { removing, ...(policy && { drift: policy }) });
          const steps = planAll(stateOf(drawn.length, Math.min(minimum, drawn.length)), entry);
          expect(new Set(steps.map((step) => JSON.stringify(step))).size).toBe(steps.length);
          const final = steps.findIndex(({ kind }) => kind === 'restore' || kind === 'remove');
          expect(final === -1 || final === steps.length - 1).toBe(true);
        },
      ),
      runsOf({ usually: 5000, long: 50_000 }),
    );
  });
});
