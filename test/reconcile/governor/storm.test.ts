import { describe, expect, it } from 'vitest';
import { isAzureFailure } from '../../../src/azure-failure.ts';
import { seededRandom } from '../../../src/local/faults.ts';
import { createSlidingBudget } from '../../../src/local/key-vault/sliding-budget.ts';
import { importInTheEnd, importInto, openGovernor } from '../../support/governed-fleet.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { runsOf } from '../../support/runs.ts';
import { createSimulatedFleet, type SeenCall } from '../../support/simulated-vaults.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

/*
 * In virtual time alone: what is asserted are minutes of windows of ten seconds, and sockets would add their own delays to
 * them without another rule to meet. That a real client's 429 reaches the governor as assumed here is test/e2e/throttling's
 * and the contract's of vaults; batches in real time over sockets, against a Key Vault that throttles, are
 * bench/throttle's.
 */

const sessions = 16;
const allowedPerVault = 300;
const stormSeconds = { whole: 60, partly: 600 };

const { numRuns: keys, seed } = runsOf({ usually: 100, long: 1_000 });
const vaultCount = process.env['KEYFLEET_TEST_LONG'] === undefined ? 10 : 50;

/** How many of the calls, answered or refused, went beyond what a vault, or all together, allow in any window. */
function beyond(calls: readonly SeenCall[]): number {
  const ofVaults = new Map<string, ReturnType<typeof createSlidingBudget>>();
  const ofAll = createSlidingBudget(5 * allowedPerVault, 10_000);
  let count = 0;
  for (const { vault, at } of calls) {
    const ofVault = ofVaults.get(vault) ?? createSlidingBudget(allowedPerVault, 10_000);
    ofVaults.set(vault, ofVault);
    if (!ofVault.fits(1, at) || !ofAll.fits(1, at)) count++;
    ofVault.spend(1, at);
    ofAll.spend(1, at);
  }
  return count;
}

describe('a storm of 429', () => {
  it.each([
    ['no Retry-After', () => undefined],
    ['Retry-After: 2', () => 2],
    ['absurd ones', (random: () => number) => [0.001, 86_400, 1e12, 3][Math.floor(random() * 4)]],
  ])('with %s ends, and all converge', { timeout: 900_000 }, async (_name, retryAfterOf) => {
    const clock = createVirtualClock();
    const random = seededRandom(seed);
    const storm = (at: number) => {
      const chance =
        at < stormSeconds.whole * 1000 ? 1 : at < (stormSeconds.whole + stormSeconds.partly) * 1000 ? 0.3 : 0;
      if (random() >= chance) return undefined;
      const retryAfterSeconds = retryAfterOf(random);
      return retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    };
    const fleet = createSimulatedFleet({ clock, random, storm });
    const governor = openGovernor(clock, { table: createMemoryTable(), instanceId: 'one' });
    const vaults = Array.from({ length: vaultCount }, (_, index) => governor.open(fleet.vault(`vault-${index}`)));

    // The queue: what was put off, or failed, lies in it until its time has come.
    const tally = { deferred: 0, failed: 0 };
    let open = sessions;
    const waiting: (() => void)[] = [];
    const sessionFree = async () => {
      if (open > 0) open--;
      else await new Promise<void>((resolve) => void waiting.push(resolve));
    };
    const sessionDone = () => {
      const next = waiting.shift();
      if (next === undefined) open++;
      else next();
    };
    const batch = Array.from({ length: keys }, (_, key) =>
      vaults.map(async ({ background }, index) => {
        // A wave of rotations takes a while to announce.
        await clock.sleep((key * vaults.length + index) * 2);
        for (;;) {
          await sessionFree();
          let pause: number;
          try {
            await importInto(background);
            return;
          } catch (error) {
            if (!isAzureFailure(error, 'throttled')) throw error;
            tally[error.deferred ? 'deferred' : 'failed']++;
            pause = error.retryAfterSeconds ?? 2;
          } finally {
            sessionDone();
          }
          await clock.sleep(pause * 1000);
        }
      }),
    ).flat();
    let isOver = false;
    const converged = Promise.all(batch).then(() => (isOver = true));

    // Somebody looks at a vault before a rotation, every second at another one.
    const waits: number[] = [];
    let refused = 0;
    const interactive = (async () => {
      for (let turn = 0; !isOver; turn++) {
        await clock.sleep(1_000);
        const askedAt = clock.now();
        const isWhole = askedAt < stormSeconds.whole * 1000;
        try {
          await vaults[turn % vaults.length]?.interactive.getKey('key');
        } catch {
          if (!isWhole) refused++;
        }
        waits.push(clock.now() - askedAt);
      }
    })();
    await clock.until(converged);
    const minutes = clock.now() / 60_000;
    await clock.until(interactive);

    waits.sort((left, right) => left - right);
    const p99 = waits[Math.floor(waits.length * 0.99)] ?? Infinity;
    const imports = fleet.calls.filter(({ kind }) => kind === 'import');
    const taken = imports.filter(({ answer }) => answer === 'taken').length;
    const extra = beyond(imports) / imports.length;
    const overLimit = fleet.calls.filter(({ answer }) => answer === 'over-limit').length;
    console.log(
      `${keys} keys x ${vaultCount} vaults converged in ${minutes.toFixed(1)} min; ${imports.length} imports, ` +
        `${imports.filter(({ answer }) => answer === 'storm').length} refused by the storm, ${overLimit} over a limit, ` +
        `${(extra * 100).toFixed(3)} % beyond the allowed budget; put off ${tally.deferred}, failed ${tally.failed}; ` +
        `interactive p99 ${p99.toFixed(0)} ms of ${waits.length}, ${refused} refused after the first minute`,
    );
    expect(taken).toBe(keys * vaultCount);
    expect(extra).toBeLessThanOrEqual(0.01);
    expect(overLimit).toBe(0);
    expect(p99).toBeLessThan(2_000);
    expect(refused / waits.length).toBeLessThan(0.05);
  });

  it('that never begins costs nothing: a batch takes as long as the limits ask for', async () => {
    const clock = createVirtualClock();
    const fleet = createSimulatedFleet({ clock, random: seededRandom(seed) });
    const governor = openGovernor(clock, { table: createMemoryTable(), instanceId: 'one' });
    const { background } = governor.open(fleet.vault('vault'));
    const count = 3_000;
    let left = count;
    const workers = Array.from({ length: 8 }, async () => {
      while (left-- > 0) await importInTheEnd(clock, background);
    });
    await clock.until(Promise.all(workers));
    const floor = (count / allowedPerVault) * 10_000;
    console.log(`${count} imports: ${(clock.now() / floor).toFixed(3)} of the floor`);
    expect(clock.now() / floor).toBeLessThan(1.1);
  });
});
