import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createKeyPairGenerator } from '../../src/keymgmt/key-generation.ts';
import { createKeys, type Keys } from '../../src/keymgmt/keys.ts';
import { createSettlement } from '../../src/keymgmt/settlement.ts';
import { createAnnouncer } from '../../src/reconcile/intents.ts';
import { createWorld, openHouse, type House } from '../support/house.ts';
import { mount } from '../support/invariants.ts';
import { createKeyMaker, type KeyMaker } from '../support/key-maker.ts';

/* A request can't wait for ever for its key pair: whoever sent it would be told nothing at all. */

const waiting = { preferAsync: true };
const existing = { mount, key: 'existing' };
const front = 230_000;

let house: House;
let keys: Keys;
let maker: KeyMaker;

beforeEach(async () => {
  const world = createWorld();
  house = openHouse(world);
  await house.keys.write(existing, {}, waiting);
  maker = createKeyMaker();
  const { generate } = createKeyPairGenerator({ threadPoolSize: 3, makeKeyPair: maker.makeKeyPair });
  const { state } = house;
  const nobody = { wake: async () => undefined, check: async () => undefined };
  keys = createKeys({
    ...state,
    announcer: createAnnouncer({ intents: state.intents, messaging: nobody, now: world.now }),
    checkVaults: async () => undefined,
    settlement: createSettlement({ keys: state.keys, waitSeconds: 0 }),
    generateKeyPair: generate,
    now: world.now,
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

it.each([
  ['creation', () => keys.write({ mount, key: 'new' }, {}, waiting)],
  ['rotation', () => keys.rotate(existing, waiting)],
])(
  'a %s whose pair does not come is answered 503 while there is still somebody to answer, and changes nothing',
  async (_name, run) => {
    const answer = expect(run()).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/nothing was changed.*Try again later/) as string,
    });
    await vi.advanceTimersByTimeAsync(front / 2);
    await answer;
    const { privateKey } = await maker.finish();
    expect(privateKey.every((byte) => byte === 0)).toBe(true);
    expect(await house.keys.list(mount)).toEqual(['existing']);
    expect((await house.state.keys.read(existing))?.key.latestVersion).toBe(1);
    expect(await house.state.intents.list()).toEqual([]);
  },
);

it('a pair that comes late, but in time, is used', async () => {
  const rotated = keys.rotate(existing, waiting);
  await vi.advanceTimersByTimeAsync(60_000);
  await maker.finish();
  await rotated;
  expect((await house.state.keys.read(existing))?.key.latestVersion).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
});

it('a key is rotated by its mount, whose requests take turns with those of others', async () => {
  const first = keys.rotate(existing, waiting);
  await vi.advanceTimersByTimeAsync(0);
  const many = Array.from({ length: 50 }, (_, index) =>
    keys.write({ mount, key: `k${index}` }, { type: 'rsa-4096' }, waiting),
  );
  await vi.advanceTimersByTimeAsync(0);
  const other = keys.write({ mount: 'other', key: 'one' }, { type: 'rsa-3072' }, waiting);
  await vi.advanceTimersByTimeAsync(0);
  await maker.finish();
  await first;
  await maker.finish();
  expect(maker.working).toEqual(['rsa-3072']);
  await maker.finish();
  await other;
  while (maker.working.length > 0) await maker.finish();
  await Promise.all(many);
});
