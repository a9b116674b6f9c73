import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FunctionsHost } from '../../src/local/functions-host/index.ts';
import type { State } from '../../src/state/index.ts';
import { findSecret, privateParts, searchable } from '../support/at-rest.ts';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { openState } from '../../src/local/open-state.ts';
import { eventually, mountUuid, runTimer, startService, type Service } from '../support/service.ts';

/* Key pairs made in advance: the host fills the pool, a rotation takes its pair from there, and nobody else sees it. */

const size = 5;
const type = 'rsa-2048';
const settings = { KEYFLEET_KEY_POOL: JSON.stringify({ [type]: size }) };

let directory: string;
let service: Service;
/** Fills the pool; the other one only takes. */
let filler: FunctionsHost;
let keymgmt: Keymgmt;
let state: State;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyfleet-key-pool-'));
  service = await startService({
    platform: { dataDirectory: directory, vaults: [] },
    settings,
    disabledFunctions: ['key-pool'],
  });
  filler = await service.startHost({ settings });
  keymgmt = keymgmtAt(service, 'keymgmt');
  state = openState(service.platform);
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
});

afterAll(async () => {
  await service.stop();
  await rm(directory, { recursive: true });
});

const spkiOf = (pem = '') => createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('hex');

/** The public keys in the pool, by slot, as they are stored. */
async function pooled(): Promise<string[]> {
  const { platform } = service;
  const table = new TableClient(platform.tables, 'keypairs', platform.developer.credential);
  const found: string[] = [];
  for await (const { publicKey } of table.listEntities<{ publicKey: Uint8Array }>()) {
    found.push(Buffer.from(publicKey).toString('hex'));
  }
  return found;
}

async function fillPool(): Promise<string[]> {
  await runTimer(filler, 'key-pool');
  return eventually('a full pool', async () => {
    const found = await pooled().catch(() => []);
    return found.length === size && found;
  });
}

test('a new key and a rotation take their pairs from the pool, which the timer fills again', async () => {
  const before = await fillPool();
  expect(new Set(before).size).toBe(size);

  await keymgmt.done('POST', 'key/quick');
  await keymgmt.done('POST', 'key/quick/rotate');
  const { versions } = await keymgmt.key('quick');
  const used = Object.values(versions).map(({ public_key: pem }) => spkiOf(pem));
  expect(new Set(used).size).toBe(2);
  for (const publicKey of used) expect(before).toContain(publicKey);
  const left = await pooled();
  for (const publicKey of used) expect(left).not.toContain(publicKey);

  const after = await fillPool();
  for (const publicKey of used) expect(after).not.toContain(publicKey);

  await keymgmt.done('POST', 'key/other', { type: 'rsa-3072' });
  expect(await pooled()).toEqual(after);
  await filler.stop();
});

test('an empty pool holds nothing up', async () => {
  await state.keyPairs.discardFrom(type, 0);
  await keymgmt.done('POST', 'key/quick/rotate');
  expect((await keymgmt.key('quick')).latest_version).toBe(3);
});

test('private keys lie nowhere in clear, in the pool or on their way out of it', async () => {
  await state.keyPairs.discardFrom(type, 0);
  const known = Array.from({ length: size }, () =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    }),
  );
  for (const [slot, pair] of known.entries()) expect(await state.keyPairs.put(type, slot, pair)).toBe(true);
  await keymgmt.done('POST', 'key/watched');
  await keymgmt.done('POST', 'key/watched/rotate');

  const mount = await mountUuid(state, 'keymgmt/');
  for (const version of [1, 2]) {
    const privateKey = await state.keys.readPrivateKey({ mount, key: 'watched' }, version);
    expect(known.filter((pair) => privateKey?.equals(pair.privateKey))).toHaveLength(1);
  }
  expect(await pooled()).toHaveLength(size - 2);
  await service.stop();

  const content = await readFile(join(directory, 'tables.json'));
  const file = searchable(content);
  const stored = known.filter(({ publicKey }) => findSecret(file, publicKey).length > 0);
  expect(stored, 'what is searched holds the pairs').toHaveLength(size);
  for (const { privateKey } of known) {
    for (const [part, bytes] of Object.entries(privateParts(privateKey))) {
      expect(findSecret(file, bytes), part).toEqual([]);
    }
  }
});
