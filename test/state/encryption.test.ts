import { describe, expect, it, vi } from 'vitest';
import { createDataKeys, type RootKey } from '../../src/state/data-keys.ts';
import { createEncryption, type Place } from '../../src/state/encryption.ts';
import { createMemoryTable } from '../support/memory-table.ts';

/** Stands for the home vault: turns bytes around, counts its calls. */
function reversingRootKey(): RootKey & { unwraps: number; wraps: number } {
  const reverse = (bytes: Uint8Array) => Uint8Array.from(bytes).reverse();
  return {
    unwraps: 0,
    wraps: 0,
    async wrap(plaintext) {
      this.wraps++;
      return { wrapped: reverse(plaintext), rootKeyId: 'https://home/keys/root/1' };
    },
    async unwrap(wrapped) {
      this.unwraps++;
      return reverse(wrapped);
    },
  };
}

const place: Place = { table: 'keys', partition: 'm|k', row: 'material|1', field: 'privateKey', version: 1 };
const secret = Buffer.from('a private key');

function setUp() {
  const table = createMemoryTable();
  const rootKey = reversingRootKey();
  let time = Date.parse('2026-01-01T00:00:00Z');
  const now = () => new Date(time);
  const open = () => createEncryption(createDataKeys({ table, rootKey, now }));
  return { table, rootKey, open, pass: (seconds: number) => void (time += seconds * 1000) };
}

describe('encryption at rest', () => {
  it('opens what it sealed, in another instance too', async () => {
    const { open } = setUp();
    const sealed = await open().seal(place, secret);
    expect(await open().open(place, sealed)).toEqual(secret);
  });

  it('never seals the same twice, and leaves no plaintext in what is stored', async () => {
    const { open } = setUp();
    const encryption = open();
    const first = await encryption.seal(place, secret);
    expect(first).not.toEqual(await encryption.seal(place, secret));
    expect(first.includes(secret)).toBe(false);
  });

  it.each<[string, Partial<Place>]>([
    ['table', { table: 'providers' }],
    ['partition', { partition: 'm|other' }],
    ['row', { row: 'material|2' }],
    ['field', { field: 'other' }],
    ['version', { version: 2 }],
    ['a shift of text from one part to the next', { table: 'keysm', partition: '|k' }],
  ])('opens nowhere else: another %s', async (_name, change) => {
    const { open } = setUp();
    const encryption = open();
    const sealed = await encryption.seal(place, secret);
    await expect(encryption.open({ ...place, ...change }, sealed)).rejects.toMatchObject({ code: 'internal' });
  });

  it('refuses every single flipped bit and every truncation', async () => {
    const { open } = setUp();
    const encryption = open();
    const sealed = await encryption.seal(place, secret);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Buffer.from(sealed);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(encryption.open(place, altered), `bit ${bit}`).rejects.toMatchObject({ code: 'internal' });
    }
    for (let length = 0; length < sealed.length; length++) {
      await expect(encryption.open(place, sealed.subarray(0, length))).rejects.toMatchObject({ code: 'internal' });
    }
  });

  it('makes one data key even where two instances start together', async () => {
    const { open, table } = setUp();
    const [first, second] = [open(), open()];
    const [left, right] = await Promise.all([first.seal(place, secret), second.seal(place, secret)]);
    expect(await table.query('data')).toHaveLength(1);
    expect(await first.open(place, right)).toEqual(secret);
    expect(await second.open(place, left)).toEqual(secret);
  });

  it('keeps the data key for five minutes, then asks the home vault again', async () => {
    const { open, rootKey, pass } = setUp();
    const encryption = open();
    await encryption.seal(place, secret);
    await encryption.seal(place, secret);
    expect(rootKey.unwraps).toBe(1);
    pass(301);
    await encryption.seal(place, secret);
    expect(rootKey.unwraps).toBe(2);
    expect(rootKey.wraps).toBe(1);
  });

  it('does not keep a failure', async () => {
    const { open, rootKey } = setUp();
    const encryption = open();
    const away = vi.spyOn(rootKey, 'unwrap').mockRejectedValueOnce(new Error('home vault away'));
    await expect(encryption.seal(place, secret)).rejects.toThrow('home vault away');
    away.mockRestore();
    await expect(encryption.seal(place, secret)).resolves.toBeInstanceOf(Buffer);
  });
});
