import { createPrivateKey, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyPairGenerator, mostWaitingOfOwner } from '../../src/keymgmt/key-generation.ts';
import { keyTypes, modulusBitsOf, type KeyType } from '../../src/keymgmt/key-types.ts';
import { createKeyMaker, settled, type KeyMaker } from '../support/key-maker.ts';
import { runsOf } from '../support/runs.ts';

/** A generator with this many places. */
function openGenerator(places: number) {
  const maker = createKeyMaker();
  return { maker, ...createKeyPairGenerator({ threadPoolSize: places + 2, makeKeyPair: maker.makeKeyPair }) };
}

async function finishAll(maker: KeyMaker): Promise<void> {
  while (maker.working.length > 0) await maker.finish();
}

it('makes pairs of each type, both halves of one key', async () => {
  const { generate } = createKeyPairGenerator({ threadPoolSize: 4 });
  for (const type of keyTypes) {
    const { publicKey, privateKey } = await generate(type, { owner: 'a' });
    const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
    expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: modulusBitsOf(type), publicExponent: 65537n });
    expect(createPublicKey(key).export({ format: 'der', type: 'spki' })).toEqual(publicKey);
  }
});

describe('places', () => {
  it.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 2],
    [16, 14],
  ])('of a thread pool of %i, %i are used at once', async (threadPoolSize, places) => {
    const maker = createKeyMaker();
    const { generate } = createKeyPairGenerator({ threadPoolSize, makeKeyPair: maker.makeKeyPair });
    const all = Array.from({ length: 20 }, () => generate('rsa-2048', { owner: 'a' }));
    for (let done = 0; done < 20; done++) {
      expect(maker.working).toHaveLength(Math.min(places, 20 - done));
      await maker.finish(done % maker.working.length);
    }
    expect(new Set((await Promise.all(all)).map(({ privateKey }) => privateKey)).size).toBe(20);
  });

  it('are free again when OpenSSL fails', async () => {
    const { generate, maker } = openGenerator(1);
    const failing = expect(generate('rsa-2048', { owner: 'a' })).rejects.toThrow('no entropy');
    const next = generate('rsa-3072', { owner: 'a' });
    await maker.fail(new Error('no entropy'));
    await failing;
    expect(maker.working).toEqual(['rsa-3072']);
    await maker.finish();
    await next;
  });
});

describe('turns', () => {
  it('one key of one owner comes next, whatever another one has waiting', async () => {
    const { generate, maker } = openGenerator(2);
    const many = Array.from({ length: 1000 }, () => generate('rsa-4096', { owner: 'many' }));
    const one = generate('rsa-2048', { owner: 'one' });
    expect(maker.working).toEqual(['rsa-4096', 'rsa-4096']);
    // It is the owner of the thousand's turn once more, since that one was there first.
    await maker.finish();
    await maker.finish();
    expect(maker.working).toEqual(['rsa-4096', 'rsa-2048']);
    await maker.finish(1);
    await one;
    await finishAll(maker);
    await Promise.all(many);
  });

  it('are those of a plain model: owners in a circle, each first come, first served, also when some give up', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), owner: fc.nat({ max: 4 }) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('finish' as const), pick: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort' as const), pick: fc.nat() }) },
    );
    let starts = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
        async (places, steps) => {
          const { generate, maker } = openGenerator(places);
          const requests: { name: KeyType; controller: AbortController; outcome: Promise<string> }[] = [];
          /** The model: who waits, in the order of the owners' turns, and who has a place. */
          let waiting: { owner: number; names: KeyType[] }[] = [];
          const working: KeyType[] = [];

          const serve = () => {
            while (working.length < places) {
              const turn = waiting.shift();
              const name = turn?.names.shift();
              if (turn === undefined || name === undefined) return;
              if (turn.names.length > 0) waiting.push(turn);
              working.push(name);
              starts++;
            }
          };
          for (const { kind, ...chosen } of steps) {
            if (kind === 'ask' && 'owner' in chosen) {
              // To the generator the type is but a word, and it shows whose turn it was.
              const name = `request ${requests.length}` as KeyType;
              const controller = new AbortController();
              const made = generate(name, { owner: String(chosen.owner), signal: controller.signal });
              const outcome = made.then(
                () => 'made',
                (reason: unknown) => String(reason),
              );
              requests.push({ name, controller, outcome });
              const turn = waiting.find(({ owner }) => owner === chosen.owner);
              if (turn === undefined) waiting.push({ owner: chosen.owner, names: [name] });
              else turn.names.push(name);
            } else if (kind === 'finish' && 'pick' in chosen && working.length > 0) {
              const index = chosen.pick % working.length;
              working.splice(index, 1);
              await maker.finish(index);
            } else if (kind === 'abort' && 'pick' in chosen && requests.length > 0) {
              const request = requests[chosen.pick % requests.length];
              request?.controller.abort('gave up');
              for (const turn of waiting) turn.names = turn.names.filter((name) => name !== request?.name);
              waiting = waiting.filter(({ names }) => names.length > 0);
            }
            serve();
            await settled();
            expect(maker.working).toEqual(working);
          }
          await finishAll(maker);
          for (const { outcome, controller } of requests) {
            const made = await outcome;
            expect(controller.signal.aborted ? ['made', 'gave up'] : ['made']).toContain(made);
          }
        },
      ),
      runsOf({ usually: 500, long: 10_000 }),
    );
    console.log(`${starts} starts, 0 out of turn`);
  });
});

describe('a request that is given up', () => {
  it('while it waits, leaves at once and is never made', async () => {
    const { generate, maker } = openGenerator(1);
    const controller = new AbortController();
    const first = generate('rsa-2048', { owner: 'a' });
    const given = generate('rsa-4096', { owner: 'a', signal: controller.signal });
    const last = generate('rsa-3072', { owner: 'a' });
    controller.abort(new Error('too late'));
    await expect(given).rejects.toThrow('too late');
    await maker.finish();
    expect(maker.working).toEqual(['rsa-3072']);
    await maker.finish();
    await Promise.all([first, last]);
  });

  it('while it is made, is rejected at once; its place is held until the pair comes, which is zeroed', async () => {
    const { generate, maker } = openGenerator(1);
    const controller = new AbortController();
    const given = generate('rsa-4096', { owner: 'a', signal: controller.signal });
    const next = generate('rsa-2048', { owner: 'b' });
    controller.abort(new Error('too late'));
    await expect(given).rejects.toThrow('too late');
    await settled();
    expect(maker.working).toEqual(['rsa-4096']);

    const { privateKey } = await maker.finish();
    expect(privateKey.every((byte) => byte === 0)).toBe(true);
    expect(maker.working).toEqual(['rsa-2048']);
    await maker.finish();
    expect((await next).privateKey.every((byte) => byte === 0)).toBe(false);
  });

  it('while it is made, and OpenSSL fails, leaves nothing behind', async () => {
    const { generate, maker } = openGenerator(1);
    const controller = new AbortController();
    const given = generate('rsa-4096', { owner: 'a', signal: controller.signal });
    controller.abort(new Error('too late'));
    await expect(given).rejects.toThrow('too late');
    await maker.fail(new Error('no entropy'));
    const next = generate('rsa-2048', { owner: 'a' });
    await maker.finish();
    await next;
  });

  it('after it was made, keeps its pair', async () => {
    const { generate, maker } = openGenerator(1);
    const controller = new AbortController();
    const made = generate('rsa-2048', { owner: 'a', signal: controller.signal });
    await maker.finish();
    const { privateKey } = await made;
    controller.abort();
    await settled();
    expect(privateKey.every((byte) => byte === 0)).toBe(false);
  });

  it('before it began, is not begun', async () => {
    const { generate, maker } = openGenerator(1);
    await expect(generate('rsa-2048', { owner: 'a', signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow(
      'no',
    );
    expect(maker.begun).toBe(0);
  });
});

describe('too many requests', () => {
  it('of one owner are refused at once, another one is let in', async () => {
    const { generate, maker } = openGenerator(1);
    const controller = new AbortController();
    const outcomes = Array.from({ length: 1 + mostWaitingOfOwner }, () =>
      generate('rsa-2048', { owner: 'many', signal: controller.signal }).catch((error: unknown) => error),
    );
    await expect(generate('rsa-2048', { owner: 'many' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/try again/) as string,
    });
    const other = generate('rsa-3072', { owner: 'other' });

    controller.abort(new Error('too late'));
    expect(new Set((await Promise.all(outcomes)).map(String))).toEqual(new Set(['Error: too late']));
    // None of them counts any more.
    const again = generate('rsa-2048', { owner: 'many' });
    await finishAll(maker);
    await Promise.all([other, again]);
    expect(maker.begun).toBe(3);
  });
});

describe('in the background', () => {
  const never = new AbortController().signal;

  it('nothing is begun while somebody waits', async () => {
    const { generate, generateInBackground, maker } = openGenerator(1);
    const first = generate('rsa-2048', { owner: 'a' });
    const background = generateInBackground('rsa-4096', never);
    const second = generate('rsa-3072', { owner: 'a' });
    await maker.finish();
    expect(maker.working).toEqual(['rsa-3072']);
    await maker.finish();
    expect(maker.working).toEqual(['rsa-4096']);
    await maker.finish();
    expect(await background).toBeDefined();
    await Promise.all([first, second]);
  });

  it('one place stays free for who may come', async () => {
    const { generate, generateInBackground, maker } = openGenerator(3);
    const background = Array.from({ length: 5 }, () => generateInBackground('rsa-4096', never));
    expect(maker.working).toEqual(['rsa-4096', 'rsa-4096']);
    const urgent = generate('rsa-2048', { owner: 'a' });
    expect(maker.working).toEqual(['rsa-4096', 'rsa-4096', 'rsa-2048']);
    await maker.finish(2);
    await urgent;
    await finishAll(maker);
    expect((await Promise.all(background)).every((pair) => pair !== undefined)).toBe(true);
  });

  it('waiting ends with the signal, work does not', async () => {
    const { generateInBackground, maker } = openGenerator(1);
    const controller = new AbortController();
    const begun = generateInBackground('rsa-2048', controller.signal);
    const waiting = generateInBackground('rsa-4096', controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
    expect(await generateInBackground('rsa-4096', controller.signal)).toBeUndefined();
    const { privateKey } = await maker.finish();
    expect(await begun).toMatchObject({ privateKey });
    expect(privateKey.every((byte) => byte === 0)).toBe(false);
    expect(maker.begun).toBe(1);
  });
});
