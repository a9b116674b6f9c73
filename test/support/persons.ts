import { createPublicKey } from 'node:crypto';
import type { VersionAttributes } from '../../src/key-vault/target-vault.ts';
import { fixtures } from './fixtures.ts';
import { encode } from './memory-world.ts';
import type { HeldKey, World } from './world.ts';

/** What a person does to keys of a vault, by hand. */
export interface PersonIn {
  /** Makes a version what it isn't; what isn't named stays. */
  change(keyName: string, held: HeldKey, changes: Partial<VersionAttributes>): Promise<void>;
  delete(keyName: string): Promise<void>;
  /** Deletes for good what is there, deleted or not. */
  purge(keyName: string): Promise<void>;
}

export function personIn(world: World, vault: string): PersonIn {
  const hands = world.openAsPerson(vault);
  const inTime = () => ({ deadline: new Date(world.now().getTime() + 10_000) });

  async function remove(keyName: string): Promise<void> {
    await hands.deleteKey(keyName, inTime());
  }

  return {
    async change(keyName, { version, enabled, operations, tags }, changes) {
      const attributes = { enabled, operations, tags: { ...tags }, ...changes };
      await hands.updateVersion(keyName, version, { ...attributes, ...inTime() });
    },
    delete: remove,
    async purge(keyName) {
      await remove(keyName);
      if ((await hands.getDeletedKey(keyName)) !== undefined) await hands.purgeKey(keyName);
    },
  };
}

/** Whether a version is of the material that isn't ours. */
export function isForeign({ publicKey }: HeldKey): boolean {
  return publicKey === encode(createPublicKey(fixtures().foreignKey));
}
