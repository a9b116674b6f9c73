import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { fixtures } from '../../support/fixtures.ts';
import type { House, MemoryWorld } from '../../support/house.ts';
import { keyNames, mount, providerNames, type Meddled, type VaultOf } from '../../support/invariants.ts';
import type { MemoryVault } from '../../support/memory-vault.ts';

/** What a person does to a copy of a key, past Keyfleet. `number` says to which of the versions, where it is about one. */
export interface Deed {
  kind: 'person';
  does: 'turn' | 'operations' | 'tags' | 'add' | 'delete' | 'purge' | 'recover';
  key: string;
  provider: string;
  number: number;
}

export const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constant('person' as const),
  does: fc.constantFrom('turn', 'turn', 'turn', 'operations', 'tags', 'add', 'delete', 'purge', 'recover'),
  key: fc.constantFrom(...keyNames),
  provider: fc.constantFrom(...providerNames),
  number: fc.nat({ max: 4 }),
});

export interface People extends Meddled {
  /** @returns whether there was anything to do it to */
  perform(deed: Deed): Promise<boolean>;
}

/** @param vaultOf what the vaults of providers are called by now */
export function createPeople(world: MemoryWorld, house: House, vaultOf: VaultOf): People {
  const copies = new Set<string>();
  const gone = new Set<string>();
  const added = new Set<string>();
  const inTime = () => ({ deadline: new Date(world.now().getTime() + 1000) });

  async function act(vault: MemoryVault, name: string, { does, number }: Deed): Promise<boolean> {
    const versions = vault.held.get(name) ?? [];
    if (does === 'recover') return vault.recoverKey(name, inTime());
    const target = versions[number % Math.max(1, versions.length)];
    if (target === undefined) return false;
    const { version, enabled } = target;
    switch (does) {
      case 'turn':
        vault.change(name, version, { enabled: !enabled });
        return true;
      case 'operations':
        vault.change(name, version, { operations: ['verify'] });
        return true;
      case 'tags':
        vault.change(name, version, { tags: { else: 'where' } });
        return true;
      case 'add':
        vault.putForeign(name, createPublicKey(fixtures().foreignKey));
        added.add(vault.held.get(name)?.at(-1)?.version ?? '');
        return true;
      case 'delete':
      case 'purge':
        await vault.deleteKey(name, inTime());
        if (does === 'purge') vault.purge(name);
        return true;
    }
  }

  return {
    copies,
    gone,
    added,
    async perform(taken) {
      const state = await house.state.keys.read({ mount, key: taken.key });
      const entry = state?.distributions.find(({ distribution }) => distribution.provider === taken.provider);
      // A version that nobody knows of yet is known by its tags alone: who takes those off makes it somebody else's.
      if (entry === undefined || entry.placements.length === 0) return false;
      const place = vaultOf(taken.provider);
      const { kmsName } = entry.distribution;
      const vault = world.vault(place);
      const known = new Set(entry.placements.map(({ kmsVersion }) => kmsVersion));
      const target = vault.held.get(kmsName)?.[taken.number % Math.max(1, vault.held.get(kmsName)?.length ?? 0)];
      if (taken.does === 'tags' && target !== undefined && !known.has(target.version)) return false;
      // A vault's times are whole seconds: what happens in the same one as a change of ours isn't all to be seen.
      world.pass(1);
      if (!(await act(vault, kmsName, taken))) return false;
      copies.add(`${place}/${kmsName}`);
      if (taken.does === 'delete' || taken.does === 'purge') gone.add(`${place}/${kmsName}`);
      return true;
    },
  };
}
