import { expect, it } from 'vitest';
import { seededRandom } from '../../../src/local/faults.ts';
import { createInstanceStore } from '../../../src/state/instances.ts';
import { importInTheEnd, openGovernor } from '../../support/governed-fleet.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { createSimulatedFleet } from '../../support/simulated-vaults.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

it('what an instance left that died is not put off for longer than it takes to be forgotten', async () => {
  const clock = createVirtualClock();
  const limits = { import: 30 };
  const imports = 100;
  const fleet = createSimulatedFleet({ clock, random: seededRandom(1), limits });
  const table = createMemoryTable();
  const { background } = openGovernor(clock, { table, instanceId: 'new', limits }).open(fleet.vault('vault'));
  // The dead one had all there is.
  for (const scope of ['vault-vault', 'group-group']) {
    await createInstanceStore(table).put(scope, {
      instance: 'dead',
      share: 1_000_000,
      heldShare: 0,
      heldUntil: clock.wallClock(),
      seenTime: clock.wallClock(),
    });
  }
  const start = clock.now();
  await clock.until(Promise.all(Array.from({ length: imports }, () => importInTheEnd(clock, background))));
  const seconds = (clock.now() - start) / 1000;
  const floorSeconds = (imports / limits.import) * 10;
  console.log(`${imports} imports in ${seconds.toFixed(0)} s, ${floorSeconds.toFixed(0)} s of it for the limits`);
  expect(seconds).toBeLessThan(floorSeconds + 30);
  expect(fleet.calls).toHaveLength(imports);
});
