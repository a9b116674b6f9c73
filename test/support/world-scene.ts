import { createPublicKey } from 'node:crypto';
import { expect } from 'vitest';
import { AzureFailure, type AzureFailureKind } from '../../src/azure-failure.ts';
import type { TargetVault, VersionAttributes } from '../../src/key-vault/target-vault.ts';
import type { DriftPolicy } from '../../src/state/providers.ts';
import { fixtures } from './fixtures.ts';
import { openHouse, settle, type House, type World } from './house.ts';
import { mount, vaultOf, writeProviders } from './invariants.ts';
import { encode } from './memory-world.ts';
import { isForeign, personIn } from './persons.ts';
import { permissions, type HeldKey, type Permission, type VaultChange, type VaultContents } from './world.ts';

export const key = { mount, key: 'a' };
export const provider = { mount, provider: 'p' };
export const distribution = { ...key, provider: 'p' };
export const vault = vaultOf('p');
const waiting = { preferAsync: true };
const fields = { purpose: ['sign'], protection: 'hsm' };

/** One key, one vault, and whoever else has to do with it, in any world. */
export interface Scene {
  house: House;
  /** Asks for the key to be in the vault. */
  distribute(): Promise<void>;
  removeFromVault(): Promise<void>;
  rotate(): Promise<void>;
  setMinimum(minimum: number): Promise<void>;
  setPolicy(drift: DriftPolicy): Promise<void>;
  kmsName(): Promise<string>;
  /** What a person does to the `number`th version there, counted from 1. */
  change(number: number, changes: Partial<VersionAttributes>): Promise<void>;
  /** What a person does to the whole key. */
  deleteKey(name?: string): Promise<void>;
  purgeKey(): Promise<void>;
  exchangeKeyName(): string;
  settle(cycles?: number): Promise<boolean>;
  /** A look at everything in the vault, old versions too, and what it asks for. */
  cycle(): Promise<boolean>;
  /** The versions under `name`, in the order in which they were made: `1- 2 foreign`. */
  picture(name?: string): Promise<string>;
  /** Changes made by us that overwrote, disabled or deleted something foreign, or left consumers without a version. */
  readonly harm: readonly string[];
  readonly changes: readonly VaultChange[];
}

/** A scene whose vault can be told what to refuse. */
export interface WorldScene extends Scene {
  world: World;
  /** What the vault holds under the key's name. */
  held(): Promise<readonly HeldKey[]>;
  /** From now on the service may not do this any more. */
  withdraw(...words: readonly Permission[]): void;
  /** From now on the vault answers so to everything. */
  fail(kind: AzureFailureKind): void;
  /** Ends what `withdraw` and `fail` began. */
  relent(): void;
}

/** A key of `versions` versions, not distributed yet. */
export async function openScene(base: World, { versions = 2 }: { versions?: number } = {}): Promise<WorldScene> {
  let failure: AzureFailureKind | undefined;
  let withdrawn: readonly Permission[] = [];
  const world: World = { ...base, openVault: (name) => failing(base.openVault(name), () => failure) };
  const house = openHouse(world);
  const person = personIn(world, vault);
  const foreign = encode(createPublicKey(fixtures().foreignKey));
  const harm: string[] = [];
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
  await world.reuseExchangeKeys(house);
  await house.keys.write(key, {}, waiting);
  for (let version = 2; version <= versions; version++) await house.keys.rotate(key, waiting);

  const kmsName = async () => (await house.distributions.read(distribution))?.kmsName ?? '';
  const under = (name: string) => world.contents(vault).get(name) ?? [];

  const scene: WorldScene = {
    ...{ world, house, harm, changes, kmsName },
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
    held: async () => under(await kmsName()),
    async change(number, attributes) {
      const name = await kmsName();
      const found = under(name)[number - 1];
      if (found !== undefined) await person.change(name, found, attributes);
    },
    async deleteKey(name) {
      await person.delete(name ?? (await kmsName()));
    },
    async purgeKey() {
      await person.purge(await kmsName());
    },
    exchangeKeyName: () => [...world.contents(vault).keys()].find((name) => name.startsWith('keyfleet-kek-')) ?? '',
    withdraw(...words) {
      withdrawn = [...withdrawn, ...words];
      world.permit(
        vault,
        permissions.filter((word) => !withdrawn.includes(word)),
      );
    },
    fail: (kind) => void (failure = kind),
    relent() {
      [failure, withdrawn] = [undefined, []];
      world.permit(vault, permissions);
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
      return under(own)
        .map((held) => describe(held, own))
        .join(' ');

      function describe(held: HeldKey, kms: string): string {
        const { publicKey, enabled, operations, tags } = held;
        const ours = state?.versions.find((one) => one.publicKey.toString('base64') === publicKey);
        const number = tags['keyfleet-version'] ?? ours?.version;
        if (isForeign(held)) return `foreign${enabled ? '' : '-'}`;
        const hasOurTags = tags['key_name'] === kms && Object.keys(tags).length === 4;
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
export async function agreed<S extends Scene & { world: World }>(scene: S, minimum?: number): Promise<S> {
  await scene.distribute();
  if (minimum !== undefined) await scene.setMinimum(minimum);
  expect(await scene.settle()).toBe(true);
  expect(await scene.cycle()).toBe(true);
  scene.world.pass(5);
  return scene;
}

/** The same vault, none of whose answers come while there is a failure. */
function failing(target: TargetVault, failure: () => AzureFailureKind | undefined): TargetVault {
  return new Proxy(target, {
    get(object, property) {
      const value: unknown = Reflect.get(object, property);
      const kind = failure();
      if (kind === undefined || typeof value !== 'function') return value;
      const fails = () => Promise.reject(new AzureFailure(kind, `the vault said ${kind}`));
      return property === 'listKeys' ? () => ({ [Symbol.asyncIterator]: () => ({ next: fails }) }) : fails;
    },
  });
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
