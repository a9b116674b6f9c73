import type { Benchmark } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { runBatch } from './batch.ts';

/** The documented limit of imports, scaled down: a machine that also plays the vaults has to keep up. */
const scale = 10;
const importLimit = 300 / scale;
/** What all vaults of a subscription may do together, in those of one. */
const groupFactor = 5;
const rounds = 2;
const warmUpSeconds = 12;
const seconds = 30;

/** How much of what Key Vault allows is made use of, and how often it has to say no. */
export const throttle: Benchmark = {
  name: 'throttle',
  measures: `imports against the vaults' limits, which are scaled down by ${scale}`,
  async run({ progress }) {
    const figures = [];
    for (const vaults of [1, 5, 10]) {
      const shares: number[] = [];
      const refusals: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const { taken, refused } = await runBatch({ vaults, importLimit, warmUpSeconds, seconds });
        const sum = taken.reduce((total, count) => total + count, 0);
        const allowed = (Math.min(vaults, groupFactor) * importLimit * seconds) / 10;
        shares.push(sum / allowed);
        refusals.push(refused / (sum + refused));
        progress(`${vaults} vaults: ${sum} of ${allowed} imports, ${refused} refused`);
      }
      const name = `${vaults} vault${vaults === 1 ? '' : 's'} of one subscription`;
      figures.push(
        figure(`${name}: share of the limit`, 'times', shares, { atLeast: 0.9 }),
        figure(`${name}: share of calls answered 429`, 'times', refusals, { atMost: 0.01 }),
      );
    }
    return figures;
  },
};

const healthyMilliseconds = 300;
const fairnessVaults = 8;

/** Whether one slow vault costs the others anything, and some of them more than others. */
export const fairness: Benchmark = {
  name: 'fairness',
  measures: `imports into ${fairnessVaults} vaults at once, one of them ten times slower`,
  async run({ progress }) {
    const indexes: number[] = [];
    const shares: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { taken } = await runBatch({
        vaults: fairnessVaults,
        importLimit,
        delayMilliseconds: (vault) => healthyMilliseconds * (vault === 0 ? 10 : 1),
        warmUpSeconds,
        seconds,
      });
      const healthy = taken.slice(1);
      const sum = healthy.reduce((total, count) => total + count, 0);
      indexes.push(sum ** 2 / (healthy.length * healthy.reduce((total, count) => total + count ** 2, 0)));
      const all = sum + (taken[0] ?? 0);
      shares.push(all / ((groupFactor * importLimit * seconds) / 10));
      progress(`imports by vault, the slow one first: ${taken.join(', ')}`);
    }
    return [
      figure("Jain's index of the healthy vaults", 'times', indexes, { atLeast: 0.95 }),
      figure('share of the limit, the slow one included', 'times', shares),
    ];
  },
};
