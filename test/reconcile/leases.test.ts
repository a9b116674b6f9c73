import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { Crash } from '../support/interruptions.ts';
import { checkAgreement, mount, vaultOf, writeProviders } from '../support/invariants.ts';
import type { MemoryVault } from '../support/memory-vault.ts';

const key = { mount, key: 'a' };
const distribution = { ...key, provider: 'p' };
const subject = { kind: 'distribution', ...distribution } as const;
const waiting = { preferAsync: true };

let world: MemoryWorld;
/** Two processes of the service. */
let first: House;
let second: House;
let vault: MemoryVault;

beforeEach(async () => {
  world = createWorld();
  [first, second] = [openHouse(world), openHouse(world)];
  vault = world.vault(vaultOf('p'));
  await writeProviders(first);
  await first.keys.write(key, {}, waiting);
  await first.distributions.write(distribution, { purpose: ['sign'], protection: 'hsm' }, waiting);
  world.queue.length = 0;
});

/** What becomes of the next call of `method`, in the place of the call itself. */
function instead<Method extends 'importWrapped' | 'updateVersion' | 'deleteKey'>(
  method: Method,
  happen: (call: () => Promise<void>) => Promise<void>,
): void {
  const original = vault[method] as (...args: unknown[]) => Promise<unknown>;
  (vault[method] as unknown) = async (...args: unknown[]) => {
    (vault[method] as unknown) = original;
    let result: unknown;
    await happen(async () => {
      result = await original(...args);
    });
    return result;
  };
}

const dies = (): Promise<never> => Promise.reject(new Crash());
const record = async () => first.state.keys.readDistribution(distribution);
const view = async () => first.distributions.read(distribution);
const held = async () => vault.held.get((await view())?.kmsName ?? '') ?? [];
const ordinals = async () => (await held()).map(({ tags }) => tags['keyfleet-version']);
const secondsUntil = (time: Date | undefined) => ((time?.getTime() ?? 0) - world.now().getTime()) / 1000;
const messages = () => world.queue.map(({ time }) => secondsUntil(time));

async function rotated(): Promise<void> {
  await first.keys.rotate(key, waiting);
  world.queue.length = 0;
}

async function nothing(): Promise<void> {}

/** What is left to do is to disable a version. */
async function disabling(): Promise<void> {
  await first.reconcile(distribution);
  await rotated();
  await first.keys.write(key, { minEnabledVersion: 2 }, waiting);
  world.queue.length = 0;
}

describe('a process that died', () => {
  it.each([
    ['an import', 'importWrapped', nothing, ['1']],
    ['a change', 'updateVersion', disabling, ['1', '2']],
  ] as const)('before %s: others come back when its lease has run out', async (_name, method, before, after) => {
    await before();
    instead(method, dies);
    await expect(first.reconcile(distribution)).rejects.toThrow(Crash);
    const untouched = await ordinals();
    const lease = secondsUntil((await record())?.attempt?.until);
    expect(lease).toBeGreaterThan(15);
    expect(lease).toBeLessThanOrEqual(25);

    world.pass(5);
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual(untouched);
    expect(messages()).toEqual([lease - 5]);
    expect(await second.state.intents.read(subject)).toMatchObject({ attempts: 0 });
    expect((await record())?.delay).toBeUndefined();

    world.pass(lease - 5);
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual(after);
    expect((await view())?.warnings).toEqual([]);
    expect((await record())?.attempt).toBeUndefined();
  });

  it('after an import: what it made is taken over at once', async () => {
    instead('importWrapped', async (call) => {
      await call();
      throw new Crash();
    });
    await expect(first.reconcile(distribution)).rejects.toThrow(Crash);
    await second.reconcile(distribution);
    expect(messages()).toEqual([]);
    expect((await view())?.warnings).toEqual([]);
    expect(await ordinals()).toEqual(['1']);
  });

  it('after a removal: the rest is done at once', async () => {
    await first.reconcile(distribution);
    await first.distributions.delete(distribution, waiting);
    world.queue.length = 0;
    instead('deleteKey', async (call) => {
      await call();
      throw new Crash();
    });
    await expect(first.reconcile(distribution)).rejects.toThrow(Crash);
    await second.reconcile(distribution);
    expect(await view()).toBeUndefined();
    expect(await second.distributions.list({ mount, provider: 'p' })).toEqual([]);
  });
});

describe('a call that ended', () => {
  it('with its reply lost: is looked into after two seconds', async () => {
    instead('importWrapped', () => Promise.reject(new AzureFailure('unknown-outcome', 'the reply was lost')));
    await first.reconcile(distribution);
    expect(secondsUntil((await record())?.attempt?.until)).toBe(2);
    expect(messages()).toEqual([2]);
    world.pass(2);
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual(['1']);
  });

  it('because its time was up: the vault may still be at it for the rest of the lease', async () => {
    instead('importWrapped', async () => {
      world.pass(15);
      throw new AzureFailure('unknown-outcome', 'aborted');
    });
    await first.reconcile(distribution);
    expect(secondsUntil((await record())?.attempt?.until)).toBe(10);
    world.pass(2);
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual([]);
    world.pass(8);
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual(['1']);
  });

  it('without an effect: leaves nobody waiting', async () => {
    instead('importWrapped', () => Promise.reject(new AzureFailure('throttled', 'busy')));
    await first.reconcile(distribution);
    expect((await record())?.attempt).toBeUndefined();
  });
});

describe('a process that slept', () => {
  /** The others go on while it sleeps, until they have nothing left to do. */
  async function sleeps(): Promise<void> {
    world.pass(60);
    await second.reconcile(distribution);
  }

  it('before an import: doesn’t make it any more', async () => {
    instead('importWrapped', async (call) => {
      await sleeps();
      await call();
    });
    await first.reconcile(distribution);
    expect(await ordinals()).toEqual(['1']);
    expect(await view()).toMatchObject({ warnings: [] });
    expect((await record())?.delay).toBeUndefined();
  });

  it.each(['before', 'after'])(
    '%s a removal of what has been distributed anew since: leaves that alone',
    async (when) => {
      await first.reconcile(distribution);
      await first.distributions.delete(distribution, waiting);
      instead('deleteKey', async (call) => {
        if (when === 'after') await call();
        await sleeps();
        await second.distributions.write(distribution, { purpose: ['sign'], protection: 'hsm' }, waiting);
        await second.reconcile(distribution);
        if (when === 'before') await call();
      });
      await first.reconcile(distribution);
      expect(await ordinals()).toEqual(['1']);
      expect(await second.distributions.list({ mount, provider: 'p' })).toEqual(['a']);
    },
  );

  it('with a confirmation in its hands: doesn’t say what has changed since', async () => {
    await first.reconcile(distribution);
    await rotated();
    await first.keys.write(key, { minEnabledVersion: 2 }, waiting);
    instead('updateVersion', async (call) => {
      await call();
      await second.keys.write(key, { minEnabledVersion: 0 }, waiting);
      await sleeps();
      // All is well: a call would come from a record that isn't true.
      instead('updateVersion', dies);
    });
    await first.reconcile(distribution);
    expect((await held()).map(({ enabled }) => enabled)).toEqual([true, true]);
    const state = await first.state.keys.read(key);
    expect(state?.distributions[0]?.placements.map(({ enabled }) => enabled)).toEqual([true, true]);
  });

  it('with the confirmation of an import in its hands: doesn’t take it for one of what has been distributed anew since', async () => {
    instead('importWrapped', async (call) => {
      await call();
      await second.distributions.delete(distribution, waiting);
      await sleeps();
      await second.distributions.write(distribution, { purpose: ['sign'], protection: 'hsm' }, waiting);
    });
    await first.reconcile(distribution);
    expect(await settle(world, second)).toBe(true);
    const [version] = await held();
    expect((await view())?.versions.get(1)).toBe(version?.version);
  });

  it.each([true, false])(
    'in the midst of sending an import, which nothing can stop: both copies are known and kept in step (last: %s)',
    async (isLast) => {
      const late = { deadline: new Date(world.now().getTime() + 3_600_000) };
      const original = vault.importWrapped;
      let sent = false;
      vault.importWrapped = async (name, blob, options) => {
        if (sent) return original(name, blob, options);
        sent = true;
        if (isLast) await sleeps();
        const made = await original(name, blob, { ...options, ...late });
        if (!isLast) {
          vault.getKey = async () => {
            vault.getKey = getKey;
            return undefined;
          };
          await sleeps();
        }
        return made;
      };
      const { getKey } = vault;
      await first.reconcile(distribution);

      const copies = await held();
      expect(copies.map(({ tags }) => tags['keyfleet-version'])).toEqual(['1', '1']);
      const [older, newer] = copies.map(({ version }) => version);
      expect((await view())?.versions.get(1)).toBe(newer);
      expect((await view())?.warnings).toEqual([expect.stringContaining(`version 1 is there more than once`)]);
      expect((await view())?.warnings[0]).toContain(older);

      await rotated();
      await first.keys.write(key, { minEnabledVersion: 2 }, waiting);
      expect(await settle(world, first)).toBe(true);
      expect((await held()).map(({ enabled }) => enabled)).toEqual([false, false, true]);
      await first.keys.write(key, { minEnabledVersion: 0 }, waiting);
      expect(await settle(world, first)).toBe(true);
      expect((await held()).map(({ enabled }) => enabled)).toEqual([true, true, true]);
    },
  );
});

describe('two processes without key exchange key', () => {
  it('make two of one name at the same time: what was wrapped with either is taken', async () => {
    const made: Promise<unknown>[] = [];
    const create = vault.createKeyExchangeKey;
    const others: TargetVault['createKeyExchangeKey'] = async (...args) => {
      vault.createKeyExchangeKey = create;
      made.push(second.reconcile(distribution));
      await made[0];
      return create(...args);
    };
    vault.createKeyExchangeKey = others;
    await first.reconcile(distribution);
    const exchangeKeys = [...vault.held].filter(([name]) => name.startsWith('keyfleet-kek-'));
    expect(exchangeKeys.map(([, versions]) => versions.length)).toEqual([2]);
    expect(await ordinals()).toEqual(['1']);
    await rotated();
    await first.reconcile(distribution);
    await rotated();
    await second.reconcile(distribution);
    expect(await ordinals()).toEqual(['1', '2', '3']);
    expect(await settle(world, first)).toBe(true);
    await checkAgreement(world, first);
  });
});
