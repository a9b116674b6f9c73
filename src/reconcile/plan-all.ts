import type { DistributionState, KeyState, PlacementRecord } from '../state/key-records.ts';
import { updateCopy } from './placements.ts';
import { nextStep, type Step } from './plan.ts';

export type PlannedStep = Step & {
  /** An earlier try, whose end nobody saw, may make it needless: the vault is asked first. */
  conditional: boolean;
};

/** @returns every step that is left in one vault, in order, if each succeeds and nothing else happens meanwhile */
export function planAll(state: KeyState, distribution: DistributionState): PlannedStep[] {
  const steps: PlannedStep[] = [];
  for (let left: DistributionState | undefined = distribution; left !== undefined;) {
    const step = nextStep(state, left);
    if (step === undefined) return steps;
    // A key that was never sent there is only forgotten.
    if (step.kind !== 'remove' || mayBeInVault(left)) steps.push({ ...step, conditional: isConditional(step, left) });
    left = after(step, left);
  }
  return steps;
}

/** Whether the vault has the key, or may have it because of a try whose end nobody saw. */
export function mayBeInVault({ distribution, placements }: DistributionState): boolean {
  return placements.length > 0 || distribution.attempt !== undefined;
}

function isConditional(step: Step, { distribution, placements }: DistributionState): boolean {
  switch (step.kind) {
    case 'import':
      return (
        distribution.attempt?.version === step.version || placements.some(({ version }) => version === step.version)
      );
    case 'set-enabled':
    case 'mend':
      return false;
    case 'restore':
      return true;
    case 'remove':
      return placements.length === 0 || distribution.attempt?.version === 0;
  }
}

/** What the vault will have confirmed by then; undefined where nothing is left to plan, or nobody can tell. */
function after(step: Step, { distribution: before, placements }: DistributionState): DistributionState | undefined {
  const { attempt: _attempt, ...distribution } = before;
  switch (step.kind) {
    case 'import': {
      const { version, enabled } = step;
      const { provider } = distribution;
      // The vault names the version when it takes it.
      const placement: PlacementRecord = { provider, version, kmsVersion: '', enabled, confirmedTime: new Date(0) };
      const others = placements.filter((known) => known.version !== version);
      return { distribution, placements: [...others, placement].sort((left, right) => left.version - right.version) };
    }
    case 'set-enabled':
    case 'mend':
      return {
        distribution,
        placements: placements.map((known) => (known.version === step.version ? updateCopy(known, step) : known)),
      };
    case 'restore':
    case 'remove':
      return undefined;
  }
}
