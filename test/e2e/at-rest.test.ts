import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Platform } from '../../src/local/platform/index.ts';
import { findSecret, privateParts, searchable, spellings, type Searchable } from '../support/at-rest.ts';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { openState } from '../../src/local/open-state.ts';
import { mountUuid, providerCredentials, providerFields, startService, type Service } from '../support/service.ts';
import { spki } from '../support/vault-contents.ts';

/*
 * What whoever gets hold of the storage account gets hold of: nothing. And what the service finds again after everything
 * was stopped: everything. The vaults' own files are left out; they stand for Azure's hardware.
 */

const rootToken = 'hvs.root-token-of-the-test';
const clientSecret = providerCredentials().client_secret ?? '';
const keys = { placed: 3, loose: 2 };
/** Put where everybody can read it, to show that it would be found. */
const planted = randomBytes(96);

let directory: string;
let service: Service;
let keymgmt: Keymgmt;
/** What Table Storage has on disk. */
let files: Map<string, Searchable>;
const secrets: [name: string, secret: Buffer][] = [];
const before: Record<string, unknown> = {};

const start = async () => {
  service = await startService({
    platform: { dataDirectory: directory, rootToken, vaults: [{ name: 'learn-keyvault', sku: 'premium' }] },
  });
  keymgmt = keymgmtAt(service, 'keymgmt');
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyfleet-at-rest-'));
  await start();
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  await keymgmt.done('PUT', 'kms/learn', providerFields('learn-keyvault'));
  for (const [name, versions] of Object.entries(keys)) {
    await keymgmt.done('POST', `key/${name}`);
    for (let version = 2; version <= versions; version++) await keymgmt.done('POST', `key/${name}/rotate`);
  }
  await keymgmt.done('PUT', 'kms/learn/key/placed', { purpose: 'sign' });
  await keymgmt.done('PUT', 'key/placed', { min_enabled_version: 2 });
  before.placed = await keymgmt.key('placed');
  before.loose = await keymgmt.key('loose');
  before.distribution = await keymgmt.distribution('kms/learn/key/placed');
  await collectSecrets(service.platform);
  await plant(service.platform);
  await service.stop();
  const elsewhere = ['key-vault.bin', 'key-vault-port', 'certificates.json', 'ca.pem'];
  const names = (await readdir(directory)).filter((name) => !elsewhere.includes(name));
  files = new Map();
  for (const name of names) files.set(name, searchable(await readFile(join(directory, name))));
});

afterAll(() => rm(directory, { recursive: true }));

async function collectSecrets(platform: Platform): Promise<void> {
  const state = openState(platform);
  const mount = await mountUuid(state, 'keymgmt/');
  for (const [key, versions] of Object.entries(keys)) {
    for (let version = 1; version <= versions; version++) {
      const privateKey = await state.keys.readPrivateKey({ mount, key }, version);
      if (privateKey === undefined) throw new Error(`there is no version ${version} of ${key}`);
      for (const [part, bytes] of Object.entries(privateParts(privateKey))) {
        secrets.push([`${part} of version ${version} of ${key}`, bytes]);
      }
    }
  }
  secrets.push(['the client secret', Buffer.from(clientSecret)], ['the root token', Buffer.from(rootToken)]);
}

/** The same bytes in each spelling, and once as Table Storage's own bytes. */
async function plant({ tables, developer }: Platform): Promise<void> {
  const table = new TableClient(tables, 'planted', developer.credential);
  await table.createTable();
  for (const [index, { write }] of spellings.entries()) {
    await table.createEntity({ partitionKey: 'p', rowKey: String(index), text: write(planted) });
  }
  await table.createEntity({ partitionKey: 'p', rowKey: 'bytes', bytes: Buffer.concat([Buffer.of(1), planted]) });
}

const findAll = (secret: Buffer) =>
  [...files].flatMap(([name, content]) => findSecret(content, secret).map((spelling) => `${spelling} in ${name}`));

describe('in the files of the storage account', () => {
  test('the service has its state', () => {
    expect([...files.keys()]).toEqual(['tables.json']);
    const all = files.get('tables.json')?.text ?? '';
    for (const table of ['keys', 'providers', 'tokens', 'mounts', 'names']) expect(all).toContain(table);
    expect(all).toContain('learn-keyvault');
    expect(secrets).toHaveLength(5 * 7 + 2);
  });

  test.each(spellings)('what is planted as $name would be found', ({ name }) => {
    expect(findAll(planted)).toContain(`${name} in tables.json`);
  });

  test('there is no part of a private key, no client secret and no token', () => {
    const found = secrets.flatMap(([name, secret]) => findAll(secret).map((where) => `${name} as ${where}`));
    expect(found).toEqual([]);
  });

  test('there is no private key of anybody, in whatever form has a name', () => {
    const all = [...files.values()].flatMap(({ text, inside }) => [text, inside]).join('\n');
    expect(all).not.toMatch(/PRIVATE KEY|"(?:d|dp|dq|qi)":|client_secret/);
  });
});

describe('started again', () => {
  beforeAll(start);
  afterAll(() => service.stop());

  test('the service answers the same', async () => {
    expect(await keymgmt.list('key')).toEqual(Object.keys(keys).sort());
    expect(await keymgmt.key('placed')).toEqual(before.placed);
    expect(await keymgmt.key('loose')).toEqual(before.loose);
    expect(await keymgmt.distribution('kms/learn/key/placed')).toEqual(before.distribution);
  });

  test('goes on from there: the next version is the fourth, in the vault too', async () => {
    await keymgmt.done('POST', 'key/placed/rotate');
    const { versions, latest_version: latest } = await keymgmt.key('placed');
    expect(latest).toBe(4);
    const seen = await keymgmt.seen('kms/learn/key/placed', 'learn-keyvault');
    expect(seen.map(({ number, enabled }) => [number, enabled])).toEqual([
      [1, false],
      [2, true],
      [3, true],
      [4, true],
    ]);
    expect(spki(seen[3]?.publicKey ?? '')).toBe(spki(versions['4']?.public_key ?? ''));
  });

  test('distributes what was made before', async () => {
    await keymgmt.done('PUT', 'kms/learn/key/loose', { purpose: 'encrypt' });
    const { versions } = await keymgmt.key('loose');
    const seen = await keymgmt.seen('kms/learn/key/loose', 'learn-keyvault');
    expect(seen.map(({ publicKey }) => spki(publicKey))).toEqual(
      Object.values(versions).map(({ public_key: pem }) => spki(pem)),
    );
  });
});
