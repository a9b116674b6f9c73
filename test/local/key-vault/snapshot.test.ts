import { createHash } from 'node:crypto';
import { CryptographyClient } from '@azure/keyvault-keys';
import { expect, test } from 'vitest';
import { createCredential, keyClient, premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, versioned } from './support/raw.ts';

const lag = 60_000;
const day = 86_400_000;
const options = { vaults: [premiumVault, { ...premiumVault, name: 'empty-vault' }], deletionLagMilliseconds: lag };

test('a stand-in started from a snapshot goes on where the other stopped', async () => {
  const before = await startVaults(options);
  const old = before.addressOf('premium-vault').uri;
  const call = (method: string, path: string, body?: unknown) => raw(old, method, versioned(path), body);
  await call('POST', '/keys/Signing/create', { kty: 'RSA', tags: { a: 'b' } });
  const newest = await call('POST', '/keys/Signing/create', { kty: 'RSA', key_ops: ['sign'] });
  await call('PUT', '/secrets/plain', { value: 'kept' });
  for (const name of ['deleted-first', 'deleted-later', 'deleting', 'purged']) {
    await call('POST', `/keys/${name}/create`, { kty: 'EC' });
  }
  const first = await call('DELETE', '/keys/deleted-first');
  before.clock.advance(day);
  await call('DELETE', '/keys/deleted-later');
  await call('DELETE', '/keys/purged');
  before.clock.advance(lag);
  await call('DELETE', '/deletedkeys/purged');
  await call('DELETE', '/keys/deleting');
  await call('PUT', '/keys/Signing/rotationpolicy', {
    lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Rotate' } }],
  });
  const backup = (await call('POST', '/secrets/plain/backup')).body.value;
  const snapshot = before.snapshot();
  await call('PUT', '/secrets/plain', { value: 'too late' });
  const now = before.clock.now().getTime() - Date.now();
  await before.stop();

  const after = await startVaults({ ...options, snapshot });
  after.clock.advance(now);
  const uri = after.addressOf('premium-vault').uri;
  const again = (method: string, path: string, body?: unknown) => raw(uri, method, versioned(path), body);
  expect((await again('GET', '/keys/SIGNING')).text).toBe(newest.text.replaceAll(old, uri));
  expect((await again('GET', '/keys/Signing/versions')).body.value).toHaveLength(2);
  expect((await again('GET', '/secrets/plain')).body.value).toBe('kept');
  expect((await again('GET', '/deletedkeys/deleted-first')).text).toBe(first.text.replaceAll(old, uri));
  expect(refusalOf(await again('POST', '/keys/deleting/create', { kty: 'EC' }))).toEqual([
    409,
    'Conflict',
    'ObjectIsBeingDeleted',
  ]);
  expect(refusalOf(await again('POST', '/keys/purged/create', { kty: 'EC' }))).toEqual([
    409,
    'Conflict',
    'ObjectIsBeingDeleted',
  ]);
  const digest = createHash('sha256').update('data').digest();
  const key = await keyClient(uri).getKey('Signing');
  const { result } = await new CryptographyClient(key, createCredential('admin')).sign('RS256', digest);
  expect(result).toHaveLength(256);
  expect(
    (await raw(after.addressOf('empty-vault').uri, 'POST', versioned('/secrets/restore'), { value: backup })).status,
  ).toBe(200);
  after.clock.advance(6 * day - lag);
  expect(refusalOf(await again('GET', '/deletedkeys/deleted-first'))).toEqual([404, 'KeyNotFound']);
  expect((await again('GET', '/deletedkeys/deleted-later')).status).toBe(200);
  after.clock.advance(30 * day);
  expect((await again('GET', '/keys/Signing/versions')).body.value).toHaveLength(3);
  await after.stop();
});
