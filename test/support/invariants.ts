import { expect } from 'vitest';
import { operationsOf, tagNames } from '../../src/reconcile/version-marks.ts';
import { has, nextStep } from '../../src/reconcile/plan.ts';
import { ownerOf } from '../../src/reconcile/target.ts';
import type { DistributionState, KeyState } from '../../src/state/key-records.ts';
import type { House, World } from './house.ts';
import type { HeldKey } from './world.ts';

/** What people did in the vaults. */
export interface Meddled {
  /** Copies, as `vault/name`, to which somebody did something. */
  copies: ReadonlySet<string>;
  /** Those that were deleted or purged: versions of them were gone, if only for a while. */
  gone: ReadonlySet<string>;
  /** Key Vault's ids of the versions that somebody added to them. */
  added: ReadonlySet<string>;
}

const nobody: Meddled = { copies: new Set(), gone: new Set(), added: new Set() };

/** The keys and providers of all histories, and the vault that each provider stands for. */
export const mount = 'm';
export const keyNames = ['a', 'b'];
export const providerNames = ['p', 'q'];
export const vaultOf = (provider: string) => `vault-${provider}`;

/** Where the providers' keys go: each to a vault of its own unless told otherwise. */
export type VaultOf = (provider: string) => string;

export async function writeProviders(house: House, vaultOfProvider: VaultOf = vaultOf): Promise<void> {
  for (const provider of providerNames) {
    const fields = {
      provider: 'azurekeyvault',
      keyCollection: vaultOfProvider(provider),
      credentials: { tenant_id: 't' },
    };
    await house.providers.write({ mount, provider }, fields);
  }
}

const ordinalOf = ({ tags }: HeldKey) => Number(tags[tagNames.version]);
const isOurs = ({ tags }: HeldKey) => tags[tagNames.owner] !== undefined;

/** What must hold at every moment, whatever was cut short. */
export async function checkAlways(
  world: World,
  house: House,
  latest: Map<string, number>,
  vaultOfProvider: VaultOf = vaultOf,
  { keys = keyNames, meddled = nobody }: { keys?: readonly string[]; meddled?: Meddled } = {},
): Promise<void> {
  checkDuplicates(world);
  for (const key of keys) {
    const state = await house.state.keys.read({ mount, key });
    const seen = latest.get(key) ?? 0;
    if (state === undefined) latest.delete(key);
    else {
      expect(state.key.latestVersion, 'version numbers never go down').toBeGreaterThanOrEqual(seen);
      latest.set(key, state.key.latestVersion);
      expect(
        state.versions.map(({ version }) => version),
        'versions are numbered from 1 without gaps',
      ).toEqual(Array.from({ length: state.key.latestVersion }, (_, i) => i + 1));
      for (const entry of state.distributions) checkCopy({ world, meddled, vaultOfProvider }, state, entry);
    }
  }
}

function checkDuplicates(world: World): void {
  for (const vault of world.vaultNames()) {
    for (const [name, versions] of world.contents(vault)) {
      const numbers = versions.filter(isOurs).map(({ tags }) => `${tags[tagNames.owner]} ${tags[tagNames.version]}`);
      expect(new Set(numbers).size, `no second version of the same number in ${name}`).toBe(numbers.length);
    }
  }
}

function checkCopy(
  { world, meddled, vaultOfProvider }: { world: World; meddled: Meddled; vaultOfProvider: VaultOf },
  { reference, key, versions }: KeyState,
  { distribution, placements }: DistributionState,
): void {
  if (distribution.removing) return;
  const { provider, kmsName } = distribution;
  const owner = ownerOf(reference.mount, provider, reference.key);
  const all = world.contents(vaultOfProvider(provider)).get(kmsName) ?? [];
  const held = all.filter(({ tags }) => tags[tagNames.owner] === owner);
  for (const version of held) {
    const ours = versions.find((entry) => entry.version === ordinalOf(version))?.publicKey.toString('base64');
    expect(version.publicKey, 'the public key is ours').toBe(ours);
  }
  // What a person did to it is theirs to answer for.
  if (meddled.copies.has(`${vaultOfProvider(provider)}/${kmsName}`)) return;
  for (const { version, kmsVersion } of placements) {
    expect(
      held.some((entry) => entry.version === kmsVersion && ordinalOf(entry) === version),
      'what is confirmed is there',
    ).toBe(true);
  }
  const isLive = placements.some(({ version }) => version === key.latestVersion);
  if (isLive) {
    expect(
      held.some(({ enabled }) => enabled),
      'never locked out: a live key has a version that works',
    ).toBe(true);
  }
}

/**
 * With the faults gone and time to recover, every vault agrees with what is stored.
 * @param foreign keys of somebody else, as `vault/name`
 */
export async function checkAgreement(
  world: World,
  house: House,
  vaultOfProvider: VaultOf = vaultOf,
  {
    foreign = new Set(),
    keys = keyNames,
    meddled = nobody,
  }: { foreign?: ReadonlySet<string>; keys?: readonly string[]; meddled?: Meddled } = {},
): Promise<void> {
  const live = new Set<string>(foreign);
  for (const key of keys) {
    const state = await house.state.keys.read({ mount, key });
    for (const entry of state?.distributions ?? []) {
      if (state === undefined) continue;
      const place = `${vaultOfProvider(entry.distribution.provider)}/${entry.distribution.kmsName}`;
      live.add(place);
      if (isStuck(entry) && meddled.copies.has(place)) continue;
      expect(nextStep(state, entry), 'nothing is left to do').toBeUndefined();
      const held = world.contents(vaultOfProvider(entry.distribution.provider)).get(entry.distribution.kmsName) ?? [];
      const ours = held.filter(({ version }) => !meddled.added.has(version));
      const expected = state.versions.filter(({ version }) => !(meddled.gone.has(place) && isLost(entry, version)));
      expect(ours.map(ordinalOf), 'no lost rotation: every version is there, in order').toEqual(
        expected.map(({ version }) => version),
      );
      for (const [position, version] of expected.entries()) {
        const found = ours[position];
        expect(found?.enabled).toBe(version.version >= state.key.minEnabledVersion);
        expect(found?.publicKey, 'the public key is ours').toBe(version.publicKey.toString('base64'));
        expect([...(found?.operations ?? [])].sort()).toEqual(operationsOf(entry.distribution).sort());
      }
    }
    for (const provider of providerNames) {
      const holds = (await house.state.providers.listKeys({ mount, provider })).includes(key);
      expect(holds, 'a provider holds exactly the keys distributed to it').toBe(
        state?.distributions.some(({ distribution }) => distribution.provider === provider) ?? false,
      );
    }
    expect((await house.keys.list(mount)).includes(key), 'lists show what exists').toBe(state !== undefined);
  }
  for (const vault of world.vaultNames()) {
    for (const keyName of world.contents(vault).keys()) {
      if (!keyName.startsWith('keyfleet-kek-')) expect(live, 'nothing is left behind').toContain(`${vault}/${keyName}`);
    }
  }
}

/** A removal that the vault's owner has to see to: there is something of somebody else's in the key. */
export function isStuck({ distribution }: DistributionState): boolean {
  return distribution.removing && distribution.refusal !== undefined;
}

/** An old version that is gone for good is reported and not put on top of newer ones. */
function isLost({ placements }: DistributionState, version: number): boolean {
  const placement = placements.find((known) => known.version === version);
  return placement !== undefined && has(placement, 'missing') && placement !== placements.at(-1);
}
