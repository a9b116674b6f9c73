import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorld } from '../support/house.ts';
import { isForeign, personIn } from '../support/persons.ts';
import { startRealWorlds, type RealWorlds } from '../support/real-world.ts';
import { permissions, type HeldKey, type Permission, type World } from '../support/world.ts';

/* The random suites run over worlds in memory, and some of each over real protocols: these are equal in what follows. */

const vault = 'vault-p';
const reference = { mount: 'm', key: 'a', provider: 'p' };
const other = { ...reference, key: 'b' };
let worlds: RealWorlds;

beforeAll(async () => {
  worlds = await startRealWorlds({ vaults: [vault] });
}, 60_000);

afterAll(() => worlds.stop());

const inSeconds = (world: World, seconds: number) => new Date(world.now().getTime() + seconds * 1000);

async function taken(world: World, which?: Parameters<World['receive']>[0]) {
  const delivery = await world.receive(which);
  if (delivery === undefined) throw new Error('there was no message');
  return delivery;
}

describe.each<[string, () => World | Promise<World>]>([
  ['real protocols', () => worlds.open()],
  ['memory', createWorld],
])('a world over %s', (_name, open) => {
  describe('its queue', () => {
    it('takes a stamp once in ten minutes', async () => {
      const world = await open();
      for (const stamp of ['one', 'one', 'two']) await world.messaging.wake(reference, stamp);
      expect(world.queued()).toBe(2);
      world.pass(601);
      await world.messaging.wake(reference, 'one');
      expect(world.queued()).toBe(3);
      expect(world.messages()).toHaveLength(3);
      await world.emptyQueue();
      expect([world.queued(), world.visible()]).toEqual([0, 0]);
    });

    it('hides a message until its time has come', async () => {
      const world = await open();
      await world.messaging.wake(reference, 'later', inSeconds(world, 90));
      expect([world.queued(), world.visible()]).toEqual([1, 0]);
      expect(await world.receive()).toBeUndefined();
      world.pass(91);
      expect((await taken(world)).reference).toEqual(reference);
    });

    it('can be emptied of everything, whatever it is about and whenever it is due', async () => {
      const world = await open();
      for (const [stamp, seconds] of Object.entries({ one: 0, two: 5, three: 9000 })) {
        await world.messaging.wake(reference, stamp, inSeconds(world, seconds));
        await world.messaging.wake(other, stamp, inSeconds(world, seconds));
      }
      world.pass(10);
      expect([world.queued(), world.visible()]).toEqual([6, 4]);
      await world.emptyQueue();
      expect([world.queued(), world.visible()]).toEqual([0, 0]);
    });

    it('hands out one message about a distribution at a time, the earliest first or whichever is asked for', async () => {
      const world = await open();
      await world.messaging.wake(reference, 'late', inSeconds(world, 10));
      await world.messaging.wake(other, 'early', inSeconds(world, 5));
      await world.messaging.wake(reference, 'one more', inSeconds(world, 15));
      world.pass(20);
      const [first, second] = [await taken(world), await taken(world)];
      expect([first.reference, second.reference]).toEqual([other, reference]);
      expect(await world.receive()).toBeUndefined();
      await second.complete();
      expect([world.queued(), world.visible()]).toEqual([2, 1]);
      expect(await world.receive(other)).toBeUndefined();
      expect((await taken(world, reference)).reference).toEqual(reference);
    });

    it('hands out again what is given back, or whose lock is over or lost, and doesn’t take that from who had it', async () => {
      const world = await open();
      await world.messaging.wake(reference, 'one');
      await (await taken(world)).abandon();
      const late = await taken(world);
      expect(await world.receive()).toBeUndefined();
      world.pass(61);
      const robbed = await taken(world);
      await late.complete();
      expect([world.queued(), world.visible()]).toEqual([1, 0]);
      await robbed.loseLock();
      const holder = await taken(world);
      await robbed.complete();
      expect([world.queued(), world.visible()]).toEqual([1, 0]);
      await holder.complete();
      expect([world.queued(), world.visible()]).toEqual([0, 0]);
    });

    it('gives nothing about what is to be looked through', async () => {
      const world = await open();
      await world.messaging.check({ mount: 'm', provider: 'p' }, 'one');
      expect([world.queued(), world.visible()]).toEqual([0, 0]);
      expect(await world.receive()).toBeUndefined();
    });
  });

  describe('its vaults', () => {
    const options = (world: World) => ({
      operations: ['sign'],
      enabled: true,
      tags: {},
      deadline: inSeconds(world, 10),
    });
    const under = (world: World, name: string): readonly HeldKey[] => world.contents(vault).get(name) ?? [];

    it('show what a person does, past every witness', async () => {
      const world = await open();
      const person = personIn(world, vault);
      const seen: string[] = [];
      world.watch({ before: async ({ action }) => void seen.push(action) });
      await world.putForeign(vault, 'theirs', { by: 'them' });
      await world.putForeign(vault, 'theirs');
      const [first, second] = under(world, 'theirs');
      if (first === undefined || second === undefined) throw new Error('they were not made');
      expect([isForeign(first), first.tags, second.tags]).toEqual([true, { by: 'them' }, {}]);
      await person.change('theirs', first, { enabled: false });
      await person.change('theirs', first, { operations: ['verify'], tags: { else: 'where' } });
      expect(under(world, 'theirs')).toMatchObject([
        { enabled: true, operations: ['verify'], tags: { else: 'where' } },
        {},
      ]);
      await person.delete('theirs');
      expect(under(world, 'theirs')).toEqual([]);
      await expect(world.putForeign(vault, 'theirs')).rejects.toMatchObject({ kind: 'conflict' });
      expect(await world.openAsPerson(vault).recoverKey('theirs', options(world))).toBe(true);
      expect(under(world, 'theirs')).toHaveLength(2);
      await expect(world.openAsPerson(vault).purgeKey('theirs')).rejects.toThrow(/no deleted key/);
      await person.purge('theirs');
      await world.putForeign(vault, 'theirs');
      expect(under(world, 'theirs')).toHaveLength(1);
      expect(seen).toEqual([]);
      await world.openVault(vault).deleteKey('theirs', options(world));
      expect(seen).toEqual(['delete']);
    });

    it('refuse what the service isn’t permitted, and nothing else', async () => {
      const world = await open();
      await world.putForeign(vault, 'any');
      const [held] = under(world, 'any');
      const service = world.openVault(vault);
      const der = Buffer.alloc(0);
      const calls: Record<Permission, () => Promise<unknown>> = {
        get: () => service.getKey('any'),
        list: () => Array.fromAsync(service.listKeys()),
        create: () => service.createKeyExchangeKey('made', {}),
        import: () => service.importWrapped('made', der, { ...options(world), hardware: true }),
        update: () => service.updateVersion('any', held?.version ?? '', options(world)),
        delete: () => service.deleteKey('none', options(world)),
        recover: () => service.recoverKey('none', options(world)),
      };
      for (const missing of permissions) {
        world.permit(
          vault,
          permissions.filter((word) => word !== missing),
        );
        await expect(calls[missing](), missing).rejects.toMatchObject({ kind: 'forbidden' });
        if (missing !== 'get') await calls.get();
        expect([...world.contents(vault).keys()]).toEqual(['any']);
      }
      world.permit(vault, permissions);
      for (const word of ['get', 'list', 'update', 'delete', 'recover'] as const) await calls[word]();
    });

    it('keep time by the clock of the world', async () => {
      const world = await open();
      await world.putForeign(vault, 'any');
      const service = world.openVault(vault);
      const late = { deadline: inSeconds(world, 30) };
      const seen: string[] = [];
      world.watch({ before: async ({ action }) => void seen.push(action) });
      world.pass(31);
      await expect(service.deleteKey('any', late)).rejects.toMatchObject({ kind: 'unavailable' });
      expect([under(world, 'any').length, seen]).toEqual([1, []]);
      const before = Math.floor(world.now().getTime() / 1000);
      await world.putForeign(vault, 'any');
      const updated = ((await service.getKey('any'))?.updatedTime.getTime() ?? 0) / 1000;
      expect(updated - before).toBeGreaterThanOrEqual(0);
      expect(updated - before).toBeLessThan(10);
    });
  });
});
