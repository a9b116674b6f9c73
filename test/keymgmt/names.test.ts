import { beforeEach, describe, expect, it } from 'vitest';
import { createWorld, openHouse, settle, type House, type MemoryWorld } from '../support/house.ts';
import { mount } from '../support/invariants.ts';

const key = { mount, key: 'a' };
const deletable = { deletionAllowed: true };
const waiting = { preferAsync: true };

let world: MemoryWorld;
/** Two processes of the service. */
let first: House;
let second: House;

beforeEach(() => {
  world = createWorld();
  [first, second] = [openHouse(world), openHouse(world)];
});

/** Before the first process writes to the list of names the next time, something else happens. */
function beforeNext(method: 'add' | 'remove', happen: () => Promise<unknown>): void {
  const { names } = first.state;
  const original = names[method];
  names[method] = async (...args) => {
    names[method] = original;
    await happen();
    return original(...args);
  };
}

async function expectAgreement(): Promise<void> {
  expect(await settle(world, second)).toBe(true);
  const exists = (await second.keys.read(key)) !== undefined;
  expect(await second.keys.list(mount)).toEqual(exists ? ['a'] : []);
}

const create = (house: House) => house.keys.write(key, deletable, waiting);

describe('the list of keys agrees with what exists in the end', () => {
  it('when a key is deleted while its creator sleeps', async () => {
    beforeNext('add', () => second.keys.delete(key));
    await create(first);
    expect(await second.keys.read(key)).toBeUndefined();
    await expectAgreement();
  });

  it('when a key is created anew while whoever deleted it sleeps', async () => {
    await create(first);
    beforeNext('remove', () => create(second));
    await first.keys.delete(key);
    expect(await second.keys.read(key)).toBeDefined();
    await expectAgreement();
  });

  it('when a key is created while the timer that saw it missing sleeps', async () => {
    await first.state.intents.put({ kind: 'key', ...key }, { dueTime: world.now(), attempts: 0 });
    beforeNext('remove', () => create(second));
    await first.sweep();
    expect(await second.keys.read(key)).toBeDefined();
    await expectAgreement();
  });
});
