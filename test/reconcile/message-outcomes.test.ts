import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure, type AzureFailureKind } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { checkAgreement, mount, vaultOf, writeProviders } from '../support/invariants.ts';

/*
 * Which faults end with the message completed and which with it given back, until it is a dead letter: whatever a vault
 * does is noted with the distribution, whatever fails of our own is thrown.
 */

const reference = { mount, key: 'a', provider: 'p' };
const subject = { kind: 'distribution', ...reference } as const;
const waiting = { preferAsync: true };

let world: MemoryWorld;
let house: House;

async function open(): Promise<void> {
  world = createWorld();
  house = openHouse(world);
  await writeProviders(house);
  await house.keys.write(reference, {}, waiting);
  await house.distributions.write(reference, { purpose: ['sign'], protection: 'hsm' }, waiting);
  // As if its message were in hand.
  world.queue.splice(0);
}

beforeEach(open);

/** From now on the vault answers like this to one kind of call. */
function vaultFails(method: 'getKey' | 'importWrapped' | 'createKeyExchangeKey', error: Error): void {
  const vault: TargetVault = world.vault(vaultOf('p'));
  (vault[method] as unknown) = () => Promise.reject(error);
}

const seconds = (time: Date | undefined) => ((time?.getTime() ?? NaN) - world.now().getTime()) / 1000;
const record = async () => {
  const found = await house.state.keys.readDistribution(reference);
  if (found === undefined) throw new Error('the distribution is gone');
  return found;
};
const intent = () => house.state.intents.read(subject);

describe('completed, with another message for later:', () => {
  const kinds: AzureFailureKind[] = ['throttled', 'unavailable', 'unknown-outcome'];
  it.each(kinds.flatMap((kind) => [[kind, 'getKey'] as const, [kind, 'importWrapped'] as const]))(
    '%s, told by %s',
    async (kind, method) => {
      vaultFails(method, new AzureFailure(kind, 'not now'));
      await house.reconcile(reference);
      expect(world.queue).toMatchObject([{ reference }]);
      expect(seconds(world.queue[0]?.time)).toBe(2);
      expect(await record()).toMatchObject({ delay: 'not now' });
      expect((await record()).refusal).toBeUndefined();
      expect(await intent()).toMatchObject({ attempts: 1 });
    },
  );

  const doubling = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600];
  it.each([
    ['waits double up to an hour', new AzureFailure('unavailable', 'not now'), doubling],
    [
      'a wait that the vault asked for is kept',
      new AzureFailure('throttled', 'x', { retryAfterSeconds: 7 }),
      [7, 7, 7],
    ],
    ['one of its own pacing too', new AzureFailure('throttled', 'x', { retryAfterSeconds: 5, deferred: true }), [5, 5]],
  ])('%s', async (_what, failure, expected) => {
    vaultFails('getKey', failure);
    const waits: number[] = [];
    while (waits.length < expected.length) {
      await house.reconcile(reference);
      const [message] = world.queue.splice(0);
      waits.push(seconds(message?.time));
      world.pass(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual(expected);
  });

  it('a vault key whose name a deleted one holds', async () => {
    vaultFails('createKeyExchangeKey', new AzureFailure('conflict', 'the name is taken'));
    await house.reconcile(reference);
    expect(world.queue).toHaveLength(1);
    expect(await record()).toMatchObject({ delay: 'the name is taken' });
  });
});

describe('completed, to be tried again by the timer:', () => {
  const kinds: AzureFailureKind[] = ['forbidden', 'shut-out', 'credentials', 'no-such-vault'];
  it.each(kinds.flatMap((kind) => [[kind, 'getKey'] as const, [kind, 'importWrapped'] as const]))(
    '%s, told by %s',
    async (kind, method) => {
      vaultFails(method, new AzureFailure(kind, 'somebody has to act'));
      await house.reconcile(reference);
      expect(world.queue).toEqual([]);
      const { refusal, delay } = await record();
      expect({ reason: refusal?.reason, delay }).toEqual({ reason: 'somebody has to act', delay: undefined });
      expect(seconds(refusal?.retryTime)).toBe(60);
      expect(await intent()).toMatchObject({ attempts: 1, dueTime: refusal?.retryTime });
    },
  );
});

describe('completed, for good:', () => {
  const kinds: AzureFailureKind[] = ['refused', 'absent'];
  it.each(kinds)('%s', async (kind) => {
    vaultFails('importWrapped', new AzureFailure(kind, 'never'));
    await house.reconcile(reference);
    expect(world.queue).toEqual([]);
    const { refusal } = await record();
    expect(refusal).toMatchObject({ reason: 'never' });
    expect(refusal?.retryTime).toBeUndefined();
    expect(await intent()).toBeUndefined();
  });

  it.each([
    ['that all agrees', async () => house.reconcile(reference)],
    ['that the distribution is gone', async () => house.state.keys.removeDistribution(reference, await state())],
  ])('to find %s', async (_what, before) => {
    await before();
    world.queue.splice(0);
    world.pass(3600);
    await house.reconcile(reference);
    expect(world.queue).toEqual([]);
    expect(await intent()).toBeUndefined();
  });

  async function state() {
    const found = (await house.state.keys.read(reference))?.distributions[0];
    if (found === undefined) throw new Error('the distribution is gone');
    return found;
  }
});

describe('given back:', () => {
  it('whichever call to our own state fails; the intent stays, and nothing is held against the vault', async () => {
    const calm = openHouse(world);
    await calm.reconcile(reference);
    let failures = 0;
    for (let strikeAt = 0; strikeAt < calm.interruptions.calls; strikeAt++) {
      await open();
      const failing = openHouse(world, (call, room) =>
        call === strikeAt && room !== 'vault' ? 'unavailable' : undefined,
      );
      const error: unknown = await failing.reconcile(reference).catch((reason: unknown) => reason);
      if (failing.interruptions.taken === 0) continue;
      failures++;
      expect(error, `call ${strikeAt}`).toMatchObject({ code: 'unavailable' });
      expect(await intent(), `call ${strikeAt}`).toBeDefined();
      expect((await record()).refusal).toBeUndefined();
      expect(await settle(world, openHouse(world))).toBe(true);
      await checkAgreement(world, openHouse(world));
    }
    console.log(`each of ${failures} calls to our own rooms failed: each time the message was given back`);
    expect(failures).toBeGreaterThan(10);
  });

  it('when the queue does not take the message for later; the timer makes up for it', async () => {
    vaultFails('getKey', new AzureFailure('unavailable', 'not now'));
    const failing = openHouse(world, (_call, room) => (room === 'queue' ? 'unavailable' : undefined));
    await expect(failing.reconcile(reference)).rejects.toMatchObject({ code: 'unavailable' });
    expect(world.queue).toEqual([]);
    expect(await intent()).toMatchObject({ attempts: 1 });
    world.pass(120);
    await house.sweep();
    expect(world.queue).toMatchObject([{ reference }]);
  });

  it('when our own code fails', async () => {
    vaultFails('getKey', new TypeError('a bug'));
    await expect(house.reconcile(reference)).rejects.toThrow('a bug');
    expect(world.queue).toEqual([]);
    expect(await intent()).toBeDefined();
    expect((await record()).refusal).toBeUndefined();
  });
});
