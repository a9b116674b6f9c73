import { mostPairsOfType } from '../../src/keymgmt/key-pool.ts';
import { serviceLimits, type VaultLimits } from '../../src/local/key-vault/index.ts';

/** How large a wave is, and how far the limits are scaled down so that one machine can play both sides of it. */
export interface WaveSize {
  /** As many keys, each rotated once. */
  rotations: number;
  vaults: number;
  /** What Key Vault's limits are divided by. */
  scale: number;
}

/** Of the environment: KEYFLEET_BENCH_ROTATIONS, KEYFLEET_BENCH_VAULTS, KEYFLEET_BENCH_SCALE. */
export function readWaveSize(environment: NodeJS.ProcessEnv): WaveSize {
  const number = (name: string, otherwise: number) => {
    const value = Number(environment[name] ?? otherwise);
    if (!(value >= 1)) throw new RangeError(`${name} takes a number from 1 on`);
    return value;
  };
  const size = {
    rotations: number('KEYFLEET_BENCH_ROTATIONS', 10_000),
    vaults: number('KEYFLEET_BENCH_VAULTS', 1),
    scale: number('KEYFLEET_BENCH_SCALE', 3),
  };
  if (size.rotations > mostPairsOfType) throw new RangeError(`the pool takes ${mostPairsOfType} pairs at most`);
  return size;
}

/** Key Vault's limits, divided. */
export function scaledLimits(scale: number): VaultLimits {
  const scaled = Object.entries(serviceLimits).map(([kind, calls]) => [kind, Math.max(1, Math.floor(calls / scale))]);
  return Object.fromEntries(scaled) as VaultLimits;
}

const windowSeconds = 10;

/**
 * The least time in which a vault with these limits takes so many imports: as many as it takes in one window at once,
 * then again and again as many as soon as the window has passed. Vaults take theirs side by side, up to five.
 */
export function fewestSeconds(imports: number, limits: VaultLimits): number {
  return (Math.ceil(imports / limits.import) - 1) * windowSeconds;
}

/** The same for a vault whose window is used up at the beginning. */
export function fewestSecondsInMidst(imports: number, limits: VaultLimits): number {
  return (imports / limits.import) * windowSeconds;
}
