import { createPublicKey, type KeyObject } from 'node:crypto';
import { AzureFailure, type AzureFailureKind } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { fixtures } from './fixtures.ts';
import { createWorld, type MemoryWorld } from './house.ts';
import type { HeldVersion, MemoryVault } from './memory-vault.ts';
import { agreed, openScene, vault as vaultName, type Scene } from './world-scene.ts';

export { distribution, key, provider } from './world-scene.ts';

/** A scene in memory, whose vault can be bent. */
export interface OddityScene extends Scene {
  world: MemoryWorld;
  vault: MemoryVault;
  /** The same vault, to whom everything is permitted. */
  person: MemoryVault;
  foreignKey: KeyObject;
  /** What the vault holds under the key's name. */
  held(): Promise<readonly HeldVersion[]>;
  /** From now on the vault answers so to `methods`. */
  fail(kind: AzureFailureKind, ...methods: (keyof TargetVault)[]): void;
  /** Ends what `fail` began. */
  relent(): void;
  /** Makes a version vanish, as Key Vault itself never does. */
  lose(number: number): Promise<void>;
}

export const reads = [
  'getKey',
  'getKeyVersion',
  'listVersions',
  'listKeys',
  'getDeletedKey',
] as const satisfies (keyof TargetVault)[];
export const writes = [
  'createKeyExchangeKey',
  'importWrapped',
  'importPlain',
  'updateVersion',
  'deleteKey',
  'recoverKey',
] as const satisfies (keyof TargetVault)[];

/** A key of `versions` versions, not distributed yet. */
export async function setScene(options: { versions?: number } = {}): Promise<OddityScene> {
  const world = createWorld();
  const vault = world.vault(vaultName);
  const scene = await openScene(world, options);
  const ends: (() => void)[] = [];
  return {
    ...scene,
    ...{ world, vault },
    // What a person does isn't kept from them by what the service is told.
    person: { ...vault },
    foreignKey: createPublicKey(fixtures().foreignKey),
    held: async () => vault.held.get(await scene.kmsName()) ?? [],
    fail: (kind, ...methods) => void ends.push(failing(vault, kind, methods)),
    relent() {
      for (const end of ends.splice(0).reverse()) end();
    },
    async lose(number) {
      (vault.held.get(await scene.kmsName()) as HeldVersion[]).splice(number - 1, 1);
    },
  };
}

/** Distributed, agreed and seen. */
export async function setAgreedScene(options: { versions?: number; minimum?: number } = {}): Promise<OddityScene> {
  return agreed(await setScene(options), options.minimum);
}

function failing(vault: MemoryVault, kind: AzureFailureKind, methods: readonly (keyof TargetVault)[]): () => void {
  const failure = () => new AzureFailure(kind, `the vault said ${kind}`);
  const originals = methods.map((method) => [method, vault[method]] as const);
  for (const method of methods) {
    const fails =
      method === 'listKeys'
        ? async function* () {
            throw failure();
          }
        : () => Promise.reject(failure());
    Object.assign(vault, { [method]: fails });
  }
  return () => {
    for (const [method, original] of originals) Object.assign(vault, { [method]: original });
  };
}
