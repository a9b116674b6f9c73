import type { Deviation, DistributionState, KeyState, PlacementRecord, Stray } from '../../state/key-records.ts';
import { has, nextStep } from '../plan.ts';

/** What a placement differs in, in words; undefined if in nothing. */
export function describeDeviations(placement: PlacementRecord): string | undefined {
  const words = (placement.deviations ?? []).map((deviation) => deviationWords(deviation, placement));
  return words.length === 0 ? undefined : words.join(', ');
}

function deviationWords(deviation: Deviation, { enabled }: PlacementRecord): string {
  switch (deviation) {
    case 'missing':
      return 'it is not there';
    case 'material':
      return 'it has other key material';
    case 'operations':
      return 'it permits other operations';
    case 'tags':
      return 'it has other tags';
    case 'enabled':
      return `somebody ${enabled ? 'enabled' : 'disabled'} it`;
  }
}

export function describeStray(stray: Stray): string {
  switch (stray) {
    case 'foreign':
      return 'the key has versions that Keyfleet did not make';
    case 'foreign-on-top':
      return 'the newest version was not made by Keyfleet, and consumers who name no version get it';
    case 'impostor':
      return 'a version bears the tags of Keyfleet and other key material';
  }
}

/**
 * What somebody did to a key in a vault and isn't undone, in words for whoever reads or writes it: all of it if it is to
 * be reported, otherwise what keeps the vault from following.
 */
export function describeLeft(state: KeyState, entry: DistributionState): string[] {
  const { drift, strays = [], removing } = entry.distribution;
  if (removing) return [];
  const isIgnored = drift === 'ignore';
  const left = entry.placements.filter((placement) => isLeft(state, entry, placement));
  const shown = isIgnored ? left.filter((placement) => has(placement, 'missing')) : left;
  return [
    ...shown.map((placement) => `version ${placement.version}: ${describeDeviations(placement)}`),
    ...(isIgnored ? [] : strays.map(describeStray)),
  ];
}

/** Whether nothing is going to be done about what a placement was found to be. */
function isLeft(state: KeyState, entry: DistributionState, placement: PlacementRecord): boolean {
  if (placement.deviations === undefined) return false;
  const step = nextStep(state, entry);
  return step === undefined || entry.distribution.drift === 'report' || entry.distribution.drift === 'ignore';
}
