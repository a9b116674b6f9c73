import type { Benchmark, Figure } from '../harness/benchmark.ts';
import { figure } from '../harness/figures.ts';
import { interleave } from '../harness/interleave.ts';
import { median } from '../harness/statistics.ts';
import { fewestCalls, type CountedCalls } from './counted-calls.ts';
import { startFleetPlatform, vaultNames, type Fleet, type FleetPlatform, type VaultName } from './fleet.ts';

const rounds = 3;
const waveSize = 25;
const goal = 1.05;

interface Scenario {
  name: string;
  /** What one vault is given. */
  versions: number;
  vaults: readonly VaultName[];
  goal?: number;
  /** Not counted. */
  prepare?: (fleet: Fleet, round: number) => Promise<void>;
  act(fleet: Fleet, round: number): Promise<void>;
}

const oneVault = vaultNames.slice(0, 1);
const singleKey = 'single';
const keysOfOneVault = numbered('one-vault');
const keysOfAllVaults = numbered('all-vaults');

const scenarios = {
  wave: {
    name: `${waveSize} keys rotated at once, 1 vault, fresh host`,
    versions: waveSize,
    vaults: oneVault,
    goal,
    act: (fleet) => fleet.rotateWave(keysOfOneVault, oneVault),
  },
  warmWave: {
    name: `${waveSize} keys rotated at once, 1 vault, just used`,
    versions: waveSize,
    vaults: oneVault,
    goal,
    prepare: (fleet) => fleet.rotateWave([singleKey], oneVault),
    act: (fleet) => fleet.rotateWave(keysOfOneVault, oneVault),
  },
  wideWave: {
    name: `${waveSize} keys rotated at once, ${vaultNames.length} vaults, fresh host`,
    versions: waveSize,
    vaults: vaultNames,
    goal,
    act: (fleet) => fleet.rotateWave(keysOfAllVaults, vaultNames),
  },
  single: {
    name: '1 key rotated, fresh host',
    versions: 1,
    vaults: oneVault,
    act: (fleet) => fleet.rotateWave([singleKey], oneVault),
  },
  newKey: {
    name: 'new key distributed, fresh host',
    versions: 1,
    vaults: oneVault,
    prepare: (fleet, round) => fleet.createKey(`new-${round}`),
    act: (fleet, round) => fleet.distribute(`new-${round}`, oneVault),
  },
  oldKey: {
    name: `key with ${waveSize} versions distributed, fresh host`,
    versions: waveSize,
    vaults: oneVault,
    async prepare(fleet, round) {
      await fleet.createKey(`old-${round}`);
      for (let version = 2; version <= waveSize; version++) await fleet.rotate(`old-${round}`);
    },
    act: (fleet, round) => fleet.distribute(`old-${round}`, oneVault),
  },
} satisfies Record<string, Scenario>;

/** How many calls Keyfleet makes to Key Vault, whose limits are what bounds it. */
export const keyVaultCalls: Benchmark = {
  name: 'key-vault-calls',
  measures: 'Key Vault calls against the fewest possible',
  async run({ progress }) {
    await using platform = await startFleetPlatform();
    const first = await platform.count((fleet) => setUpKeys(fleet, progress));
    progress(`${first.operations.import ?? 0} versions distributed for a start`);

    const counts = await interleave(
      rounds,
      {
        wave: (round) => measure(platform, scenarios.wave, round),
        warmWave: (round) => measure(platform, scenarios.warmWave, round),
        wideWave: (round) => measure(platform, scenarios.wideWave, round),
        single: (round) => measure(platform, scenarios.single, round),
        newKey: (round) => measure(platform, scenarios.newKey, round),
        oldKey: (round) => measure(platform, scenarios.oldKey, round),
      },
      progress,
    );
    return (Object.keys(scenarios) as (keyof typeof scenarios)[]).map((name) =>
      describe(scenarios[name], counts[name]),
    );
  },
};

async function setUpKeys(fleet: Fleet, progress: (line: string) => void): Promise<void> {
  // One key first: of several at once, each would try to make the vault's key exchange key.
  await fleet.createKey('first');
  await fleet.distribute('first', vaultNames);
  await fleet.createKey(singleKey);
  await fleet.distribute(singleKey, oneVault);
  await Promise.all([...keysOfOneVault, ...keysOfAllVaults].map((key) => fleet.createKey(key)));
  progress(`${keysOfOneVault.length + keysOfAllVaults.length} keys made`);
  await Promise.all(keysOfOneVault.map((key) => fleet.distribute(key, oneVault)));
  await Promise.all(keysOfAllVaults.map((key) => fleet.distribute(key, vaultNames)));
}

/** @throws Error unless exactly the expected versions were imported: a ratio of anything else means nothing */
async function measure(platform: FleetPlatform, scenario: Scenario, round: number): Promise<CountedCalls> {
  const counted = await platform.count(
    (fleet) => scenario.act(fleet, round),
    async (fleet) => scenario.prepare?.(fleet, round),
  );
  const expected = scenario.versions * scenario.vaults.length;
  if (counted.operations.import !== expected) {
    throw new Error(`${scenario.name}: ${counted.operations.import ?? 0} imports in the place of ${expected}`);
  }
  return counted;
}

function describe(scenario: Scenario, counts: readonly CountedCalls[]): Figure {
  const fewest = fewestCalls({ versions: scenario.versions, vaults: scenario.vaults.length });
  const medianOf = (read: (counted: CountedCalls) => number) => median(counts.map(read));
  const operations = [...new Set(counts.flatMap((counted) => Object.keys(counted.operations)))].sort();
  return figure(
    scenario.name,
    'times',
    counts.map(({ total }) => total / fewest),
    {
      ...(scenario.goal !== undefined && { atMost: scenario.goal }),
      parts: {
        calls: medianOf(({ total }) => total),
        fewest,
        ...Object.fromEntries(operations.map((name) => [name, medianOf((counted) => counted.operations[name] ?? 0)])),
        'challenges (apart)': medianOf(({ challenges }) => challenges),
        'own vault (apart)': medianOf(({ homeVault }) => homeVault),
      },
    },
  );
}

function numbered(prefix: string): string[] {
  return Array.from({ length: waveSize }, (_, index) => `${prefix}-${index + 1}`);
}
