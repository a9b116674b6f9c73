import { createPublicKey, type KeyObject } from 'node:crypto';
import { expect } from 'vitest';
import { AzureFailure, type AzureFailureKind } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import type { DriftPolicy } from '../../src/state/providers.ts';
import { fixtures } from './fixtures.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from './house.ts';
import { mount, vaultOf, writeProviders } from './invariants.ts';
import { encode } from './memory-world.ts';
import type { HeldVersion, MemoryVault } from './memory-vault.ts';
import type { VaultChange, VaultContents } from './world.ts';

export const key = { mount, key: 'a' };
export const provider = { mount, provider: 'p' };
export const distribution = { ...key, provider: 'p' };
const waiting = { preferAsync: true };
const fields = { purpose: ['sign'], protection: 'hsm' };

/** One key, one vault, and whoever else has to do with it. */
export interface OddityScene {
  world: MemoryWorld;
  house: House;
  vault: MemoryVault;
  /** The same vault, to whom everything is permitted. */
  person: MemoryVault;
  foreignKey: KeyObject;
  /** Asks for the key to be in the vault. */
  distribute(): Promise<void>;
  removeFromVault(): Promise<void>;
  rotate(): Promise<void>;
  setMinimum(minimum: number): Promise<void>;
  setPolicy(drift: DriftPolicy): Promise<void>;
  kmsName(): Promise<string>;
  /** What the vault holds under the key's name. */
  held(): Promise<readonly HeldVersion[]>;
  /** What a person does to the `number`th version there, counted from 1. */
  change(number: number, changes: Parameters<MemoryVault['change']>[2]): Promise<void>;
  /** What a person does to the whole key. */
  deleteKey(name?: string): Promise<void>;
  purgeKey(): Promise<void>;
  exchangeKeyName(): string;
  /** From now on the vault answers so to `methods`. */
  fail(kind: AzureFailureKind, ...methods: (keyof TargetVault)[]): void;
  /** Ends what `fail` began. */
  relent(): void;
  /** Makes a version vanish, as Key Vault itself never does. */
  lose(number: number): Promise<void>;
  settle(cycles?: number): Promise<boolean>;
  /** A look at everything in the vault, old versions too, and what it asks for. */
  cycle(): Promise<boolean>;
  /** The versions under `name`, in the order in which they were made: `1- 2 foreign`. */
  picture(name?: string): Promise<string>;
  /** Changes made by us that overwrote, disabled or deleted something foreign, or left consumers without a version. */
  readonly harm: readonly string[];
  readonly changes: readonly VaultChange[];
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
export async function setScene({ versions = 2 }: { versions?: number } = {}): Promise<OddityScene> {
  const world = createWorld();
  const house = openHouse(world);
  const vault = world.vault(vaultOf('p'));
  // What a person does isn't kept from them by what the service is told.
  const person = { ...vault };
  const foreignKey = createPublicKey(fixtures().foreignKey);
  const foreign = encode(foreignKey);
  const harm: string[] = [];
  const ends: (() => void)[] = [];
  const changes: VaultChange[] = [];
  const feared = new Map<VaultChange, string>();
  world.watch({
    async before(change, contents) {
      const reason = harmOf(change, contents, foreign);
      if (reason !== undefined) feared.set(change, reason);
    },
    async after(change) {
      changes.push(change);
      const reason = feared.get(change);
      if (reason !== undefined) harm.push(reason);
    },
  });
  await writeProviders(house);
  await house.keys.write(key, {}, waiting);
  for (let version = 2; version <= versions; version++) await house.keys.rotate(key, waiting);

  const kmsName = async () => (await house.distributions.read(distribution))?.kmsName ?? '';
  const inTime = () => ({ deadline: new Date(world.now().getTime() + 1000) });

  const scene: OddityScene = {
    ...{ world, house, vault, person, foreignKey, harm, changes, kmsName },
    async distribute() {
      await house.distributions.write(distribution, fields, waiting);
    },
    async removeFromVault() {
      await house.distributions.delete(distribution, waiting);
    },
    async rotate() {
      await house.keys.rotate(key, waiting);
    },
    async setMinimum(minEnabledVersion) {
      await house.keys.write(key, { minEnabledVersion }, waiting);
    },
    async setPolicy(drift) {
      await house.providers.write(provider, { drift });
    },
    held: async () => vault.held.get(await kmsName()) ?? [],
    async change(number, attributes) {
      const found = (await scene.held())[number - 1];
      if (found !== undefined) vault.change(await kmsName(), found.version, attributes);
    },
    async deleteKey(name) {
      await person.deleteKey(name ?? (await kmsName()), inTime());
    },
    async purgeKey() {
      const name = await kmsName();
      await person.deleteKey(name, inTime());
      vault.purge(name);
    },
    exchangeKeyName: () => [...vault.held.keys()].find((name) => name.startsWith('keyfleet-kek-')) ?? '',
    fail: (kind, ...methods) => void ends.push(failing(vault, kind, methods)),
    relent() {
      for (const end of ends.splice(0).reverse()) end();
    },
    async lose(number) {
      (vault.held.get(await kmsName()) as HeldVersion[]).splice(number - 1, 1);
    },
    settle: (cycles) => settle(world, house, cycles),
    async cycle() {
      // Old versions are looked at once a day.
      world.pass(24 * 3600 + 60);
      await house.check(provider);
      // Within the time in which what a look saw is known.
      return settle(world, house, 15);
    },
    async picture(name) {
      const state = await house.state.keys.read(key);
      const own = name ?? (await kmsName());
      return (vault.held.get(own) ?? []).map((held) => describe(held, own)).join(' ');

      function describe({ publicKey, enabled, operations, tags }: HeldVersion, kms: string): string {
        const isForeign = publicKey.equals(foreignKey);
        const material = encode(publicKey);
        const ours = state?.versions.find((one) => one.publicKey.toString('base64') === material);
        const number = tags['keyfleet-version'] ?? ours?.version;
        if (isForeign) return `foreign${enabled ? '' : '-'}`;
        const hasOurTags = tags.key_name === kms && Object.keys(tags).length === 4;
        const marks = [
          enabled ? '' : '-',
          operations.join() === fields.purpose.join() ? '' : '!operations',
          hasOurTags ? '' : '!tags',
        ];
        return `${number}${marks.join('')}`;
      }
    },
  };
  return scene;
}

/** Distributed, agreed and seen. */
export async function setAgreedScene(options: { versions?: number; minimum?: number } = {}): Promise<OddityScene> {
  const scene = await setScene(options);
  await scene.distribute();
  if (options.minimum !== undefined) await scene.setMinimum(options.minimum);
  expect(await scene.settle()).toBe(true);
  expect(await scene.cycle()).toBe(true);
  scene.world.pass(5);
  return scene;
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

function harmOf({ action, keyName, version, enabled }: VaultChange, contents: VaultContents, foreign: string) {
  const versions = contents.get(keyName) ?? [];
  const target = versions.find((held) => held.version === version);
  const isForeign = ({ publicKey }: { publicKey: string }) => publicKey === foreign;
  const what = `${action} ${keyName}${version === undefined ? '' : `/${version}`}`;
  switch (action) {
    case 'create':
      return versions.some(isForeign) ? `${what}: on top of a foreign key` : undefined;
    case 'import':
      // Above somebody else's version only where the key is ours.
      return versions.length > 0 && versions.every(isForeign) ? `${what}: into a foreign key` : undefined;
    case 'delete':
      return versions.some(isForeign) ? `${what}: with foreign versions` : undefined;
    case 'enable':
    case 'disable': {
      if (target !== undefined && isForeign(target)) return `${what}: a foreign version`;
      const left = versions.filter((held) => held.enabled && held !== target && !isForeign(held));
      const isLast = action === 'disable' && enabled !== true && target?.enabled === true && left.length === 0;
      return isLast ? `${what}: the last one of use` : undefined;
    }
  }
}
