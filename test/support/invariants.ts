import { createPublicKey } from 'node:crypto';
import { expect } from 'vitest';
import { nextStep } from '../../src/reconcile/plan.ts';
import type { House, MemoryWorld } from './house.ts';

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

/** What must hold at every moment, whatever was cut short. */
export async function checkAlways(
  world: MemoryWorld,
  house: House,
  latest: Map<string, number>,
  vaultOfProvider: VaultOf = vaultOf,
): Promise<void> {
  for (const key of keyNames) {
    const state = await house.state.keys.read({ mount, key });
    const seen = latest.get(key) ?? 0;
    if (state === undefined) latest.delete(key);
    else {
      expect(state.key.latestVersion, 'version numbers never go down').toBeGreaterThanOrEqual(seen);
      latest.set(key, state.key.latestVersion);
      expect(state.versions.map(({ version }) => version)).toEqual(
        Array.from({ length: state.key.latestVersion }, (_, i) => i + 1),
      );
    }
    for (const { distribution, placements } of state?.distributions ?? []) {
      if (distribution.removing || placements.length === 0) continue;
      const held = world.vault(vaultOfProvider(distribution.provider)).held.get(distribution.kmsName) ?? [];
      if (placements.length === state?.versions.length) {
        expect(
          held.some(({ enabled }) => enabled),
          'a live key always has a version that works',
        ).toBe(true);
      }
    }
  }
  for (const vault of world.vaults.values()) {
    for (const [name, versions] of vault.held) {
      const ordinals = versions.map(({ tags }) => tags['keyfleet-version']).filter((tag) => tag !== undefined);
      expect(new Set(ordinals).size, `no second version of the same number in ${name}`).toBe(ordinals.length);
    }
  }
}

/** With the faults gone and time to recover, every vault agrees with what is stored. */
export async function checkAgreement(
  world: MemoryWorld,
  house: House,
  vaultOfProvider: VaultOf = vaultOf,
): Promise<void> {
  const live = new Set<string>();
  for (const key of keyNames) {
    const state = await house.state.keys.read({ mount, key });
    for (const entry of state?.distributions ?? []) {
      if (state === undefined) continue;
      expect(nextStep(state, entry), 'nothing is left to do').toBeUndefined();
      const held = world.vault(vaultOfProvider(entry.distribution.provider)).held.get(entry.distribution.kmsName) ?? [];
      live.add(`${vaultOfProvider(entry.distribution.provider)}/${entry.distribution.kmsName}`);
      expect(held.map(({ tags }) => Number(tags['keyfleet-version']))).toEqual(
        state.versions.map(({ version }) => version),
      );
      for (const [position, version] of state.versions.entries()) {
        expect(held[position]?.enabled).toBe(version.version >= state.key.minEnabledVersion);
        const ours = createPublicKey({ key: version.publicKey, format: 'der', type: 'spki' });
        expect(held[position]?.publicKey.equals(ours), 'the public key is ours').toBe(true);
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
  for (const [name, vault] of world.vaults) {
    for (const keyName of vault.held.keys()) {
      if (!keyName.startsWith('keyfleet-kek-')) expect(live, 'nothing is left behind').toContain(`${name}/${keyName}`);
    }
  }
}
