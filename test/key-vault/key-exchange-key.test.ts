import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AzureFailure } from '../../src/azure-failure.ts';
import { createKeyExchangeKeys, type KeyExchangeKeys } from '../../src/key-vault/key-exchange-key.ts';
import { createMemoryVault, type MemoryVault } from '../support/memory-vault.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

let vault: MemoryVault;
let calls: string[];
let seconds: number;
let keys: KeyExchangeKeys;

beforeEach(() => {
  calls = [];
  seconds = 0;
  const counted = createMemoryVault('v', privateKey);
  vault = {
    ...counted,
    getKey: async (name) => {
      calls.push('get');
      await new Promise((resolve) => setImmediate(resolve));
      return counted.getKey(name);
    },
    createKeyExchangeKey: async (name, tags) => {
      calls.push('create');
      await new Promise((resolve) => setImmediate(resolve));
      return counted.createKeyExchangeKey(name, tags);
    },
  };
  keys = createKeyExchangeKeys({ now: () => new Date(seconds * 1000) });
});

describe('the key exchange key of a vault', () => {
  it('is looked for once and made once, however many ask at the same time', async () => {
    const obtained = await Promise.all(Array.from({ length: 25 }, () => keys.obtain(vault, 'kek', 'us')));
    expect(calls).toEqual(['get', 'create']);
    expect(new Set(obtained.map(({ version }) => version)).size).toBe(1);
  });

  it('is read again after a minute', async () => {
    await keys.obtain(vault, 'kek', 'us');
    seconds = 59;
    await keys.probe(vault, 'kek', 'us');
    expect(calls).toEqual(['get', 'create']);
    seconds = 61;
    await Promise.all(Array.from({ length: 25 }, () => keys.probe(vault, 'kek', 'us')));
    expect(calls).toEqual(['get', 'create', 'get']);
  });

  it('that could not be read, or made, is tried again by the next one', async () => {
    const { getKey, createKeyExchangeKey } = vault;
    vault.getKey = () => Promise.reject(new AzureFailure('unavailable', 'away'));
    await expect(keys.probe(vault, 'kek', 'us')).rejects.toMatchObject({ kind: 'unavailable' });
    vault.getKey = getKey;
    vault.createKeyExchangeKey = () => Promise.reject(new AzureFailure('forbidden', 'no'));
    await expect(keys.obtain(vault, 'kek', 'us')).rejects.toMatchObject({ kind: 'forbidden' });
    vault.createKeyExchangeKey = createKeyExchangeKey;
    await expect(keys.obtain(vault, 'kek', 'us')).resolves.toMatchObject({ type: 'RSA-HSM' });
  });

  it('isn’t made by looking whether a vault is ready', async () => {
    await keys.probe(vault, 'kek', 'us');
    expect(calls).toEqual(['get']);
  });

  it.each([
    ['another owner', { tags: { 'keyfleet-kek': 'them' } }, 'not made by this provider'],
    ['software', { type: 'RSA' }, 'RSA, not RSA-HSM'],
    ['another operation', { operations: ['import', 'unwrapKey'] }, 'only import is safe'],
    ['no operation', { operations: [] }, 'permits nothing'],
    ['being disabled', { enabled: false }, 'disabled'],
  ])('is refused for %s', async (_name, change, words) => {
    await vault.createKeyExchangeKey('kek', { 'keyfleet-kek': 'us' });
    Object.assign(vault.held.get('kek')?.[0] ?? {}, change);
    await expect(keys.obtain(vault, 'kek', 'us')).rejects.toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(words) as string,
    });
  });
});
