import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { wrapForTransfer } from '../../src/key-vault/byok.ts';
import { createTargetVault, type TargetVault } from '../../src/key-vault/target-vault.ts';
import { createFaults, type Faults } from '../../src/local/faults.ts';
import { startKeyVault } from '../../src/local/key-vault/index.ts';
import { installLoopbackNames } from '../../src/local/loopback-names.ts';
import { createMemoryVault } from '../support/memory-vault.ts';
import { createRsaKeys } from '../support/rsa-keys.ts';
import { newPrincipal, startDirectory, tenantId } from '../support/stand-ins.ts';

const permissions = ['create', 'delete', 'get', 'import', 'update', 'list', 'recover'] as const;
const faults: Faults = createFaults();
const stops: (() => unknown)[] = [];
let url = '';
let real: TargetVault;
let credential: TokenCredential;
let setFirewall: (allowed: readonly string[] | undefined) => void;
let setPermissions: (words: readonly (typeof permissions)[number][]) => void;

const pair = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  });
const material = pair();

beforeAll(async () => {
  const directory = await startDirectory();
  const principal = newPrincipal();
  const keyVault = await startKeyVault({
    vaults: [
      {
        name: 'contract',
        sku: 'premium',
        tenantId,
        access: { model: 'access-policy', grants: { [principal.objectId]: { keys: permissions } } },
      },
    ],
    tls: { key: directory.certificates.privateKey, cert: directory.certificates.certificate },
    verify: directory.entra.verify,
    authorityHost: 'https://login.localhost',
    faults,
    now: () => new Date(),
    generateRsaKey: createRsaKeys(),
  });
  stops.push(
    installLoopbackNames({ domains: ['localhost'], zones: { 'vault.localhost': ['contract'] } }),
    () => keyVault.stop(),
    () => directory.entra.stop(),
  );
  url = keyVault.vaults.get('contract')?.uri ?? '';
  credential = directory.credentialOf(principal);
  real = createTargetVault({ name: 'contract', url, credential });
  setFirewall = (allowed) => keyVault.control('contract').setFirewall(allowed);
  setPermissions = (words) => keyVault.control('contract').setAccess(principal.objectId, { keys: words });
});

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

const exchangeKey = createPrivateKey({ key: pair().privateKey, format: 'der', type: 'pkcs8' });
const twin = createMemoryVault('contract', exchangeKey);

const inTime = { deadline: new Date(Date.now() + 60_000) };
const options = { operations: ['decrypt', 'encrypt'], enabled: true, tags: { 'keyfleet-version': '1' }, ...inTime };

describe.each<[string, () => TargetVault]>([
  ['Key Vault', () => real],
  ['the twin in memory', () => twin],
])('%s', (_name, vault) => {
  async function importWrapped(name: string, hardware = true, enabled = true) {
    const kek = (await vault().getKey('kek')) ?? (await vault().createKeyExchangeKey('kek', { owner: 'us' }));
    return vault().importWrapped(name, wrapForTransfer(material.privateKey, kek), { ...options, hardware, enabled });
  }

  async function listed() {
    return (await Array.fromAsync(vault().listKeys())).flat();
  }

  it('says undefined for a key that isn’t there, also of one that is to be deleted', async () => {
    expect(await vault().getKey('missing')).toBeUndefined();
    expect(await vault().deleteKey('missing', inTime)).toBeUndefined();
  });

  it('makes key exchange keys that can do nothing but receive', async () => {
    const made = (await vault().getKey('kek')) ?? (await vault().createKeyExchangeKey('kek', { owner: 'us' }));
    expect(made).toMatchObject({ type: 'RSA-HSM', operations: ['import'], enabled: true, tags: { owner: 'us' } });
    expect(await vault().getKey('kek')).toMatchObject({ id: made.id, version: made.version });
  });

  it('takes wrapped keys and answers what it holds', async () => {
    const imported = await importWrapped('wrapped');
    expect(imported).toMatchObject({
      type: 'RSA-HSM',
      operations: options.operations,
      enabled: true,
      tags: options.tags,
    });
    expect(imported.publicKey.export({ type: 'spki', format: 'der' })).toEqual(material.publicKey);
    expect(imported.version).toMatch(/^[0-9a-f]{32}$/);
    expect(imported.id.endsWith(`/keys/wrapped/${imported.version}`)).toBe(true);
    expect((await importWrapped('in-software', false)).type).toBe('RSA');
  });

  it('takes plain keys', async () => {
    const imported = await vault().importPlain('plain', material.privateKey, options);
    expect(imported).toMatchObject({ type: 'RSA', operations: options.operations, tags: options.tags });
    expect(imported.publicKey.export({ type: 'spki', format: 'der' })).toEqual(material.publicKey);
  });

  it('adds a version with each import; the last one is what it answers, disabled or not', async () => {
    const first = await importWrapped('versions');
    const second = await importWrapped('versions', true, false);
    expect(second.version).not.toBe(first.version);
    expect(await vault().getKey('versions')).toMatchObject({ version: second.version, enabled: false });
    const listed = await vault().listVersions('versions');
    expect(listed.map(({ version }) => version).sort()).toEqual([first.version, second.version].sort());
    expect(listed.every(({ tags }) => tags['keyfleet-version'] === '1')).toBe(true);
  });

  it('makes one version what it should be: enabled, operations and all tags at once', async () => {
    const { version } = await importWrapped('toggled');
    const other = await importWrapped('toggled');
    const changed = { enabled: false, operations: ['sign'], tags: { only: 'this' } };
    expect(await vault().updateVersion('toggled', version, { ...changed, ...inTime })).toMatchObject({
      version,
      ...changed,
    });
    const seen = await vault().getKeyVersion('toggled', version);
    expect(seen).toMatchObject({ version, enabled: false, operations: ['sign'] });
    expect(seen?.tags).toEqual({ only: 'this' });
    expect(await vault().getKey('toggled')).toMatchObject({ version: other.version, enabled: true });
    const { operations, enabled, tags } = options;
    const mended = await vault().updateVersion('toggled', version, options);
    expect(mended).toMatchObject({ operations, enabled, tags });
    await expect(vault().updateVersion('toggled', '0'.repeat(32), options)).rejects.toMatchObject({ kind: 'absent' });
  });

  it('reads one version, and says undefined for one that isn’t there', async () => {
    const first = await importWrapped('read');
    await importWrapped('read');
    const seen = await vault().getKeyVersion('read', first.version);
    expect(seen).toMatchObject({ version: first.version, updatedTime: first.updatedTime });
    expect(seen?.publicKey.export({ type: 'spki', format: 'der' })).toEqual(material.publicKey);
    expect(await vault().getKeyVersion('read', '0'.repeat(32))).toBeUndefined();
    expect(await vault().getKeyVersion('missing', first.version)).toBeUndefined();
  });

  it('says when a version was made and changed last, in whole seconds, the same everywhere', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { version, updatedTime } = await importWrapped('timed');
    expect(updatedTime.getTime() % 1000).toBe(0);
    expect(updatedTime.getTime() / 1000).toBeGreaterThanOrEqual(before);
    expect(await vault().listVersions('timed')).toMatchObject([{ version, updatedTime, createdTime: updatedTime }]);
    const [item] = (await listed()).filter(({ name }) => name === 'timed');
    expect(item).toEqual({ name: 'timed', enabled: true, tags: options.tags, updatedTime });
    await vi.waitUntil(() => Date.now() >= updatedTime.getTime() + 1000, { timeout: 5000 });
    const changed = await vault().updateVersion('timed', version, { ...options, enabled: false });
    expect(changed.updatedTime.getTime()).toBeGreaterThan(updatedTime.getTime());
    const [again] = (await listed()).filter(({ name }) => name === 'timed');
    expect(again).toMatchObject({ enabled: false, updatedTime: changed.updatedTime });
    expect(await vault().listVersions('timed')).toMatchObject([
      { updatedTime: changed.updatedTime, createdTime: updatedTime },
    ]);
  });

  it('lists keys in pages of 25, each key once with the attributes of its newest version', async () => {
    for (let index = 0; index < 60; index++) await vault().importPlain(`many-${index}`, material.privateKey, options);
    await vault().importPlain('many-0', material.privateKey, { ...options, tags: { newest: 'yes' } });
    const pages: number[] = [];
    for await (const page of vault().listKeys()) pages.push(page.length);
    expect(pages.slice(0, -1).every((length) => length === 25)).toBe(true);
    const many = (await listed()).filter(({ name }) => name.startsWith('many-'));
    expect(new Set(many.map(({ name }) => name)).size).toBe(60);
    expect(many).toHaveLength(60);
    expect(many.find(({ name }) => name === 'many-0')?.tags).toEqual({ newest: 'yes' });
  });

  it('shows a deleted key and recovers it with all its versions', async () => {
    const versions = [await importWrapped('recovered'), await importWrapped('recovered')];
    expect(await vault().getDeletedKey('recovered')).toBeUndefined();
    expect(await vault().recoverKey('recovered-never', inTime)).toBe(false);
    await vault().deleteKey('recovered', inTime);
    expect((await listed()).map(({ name }) => name)).not.toContain('recovered');
    const deleted = await vi.waitUntil(() => vault().getDeletedKey('recovered'), { timeout: 5000 });
    expect(deleted).toEqual({ tags: options.tags });
    expect(await vault().recoverKey('recovered', inTime)).toBe(true);
    expect((await vault().listVersions('recovered')).map(({ version }) => version).sort()).toEqual(
      versions.map(({ version }) => version).sort(),
    );
    expect(await vault().getDeletedKey('recovered')).toBeUndefined();
  });

  it('deletes, and keeps the name from being used again', async () => {
    const { version, publicKey } = await importWrapped('deleted');
    const deleted = await vault().deleteKey('deleted', inTime);
    expect(deleted).toMatchObject({ version, type: 'RSA-HSM' });
    expect(deleted?.publicKey.equals(publicKey)).toBe(true);
    expect(await vault().getKey('deleted')).toBeUndefined();
    await expect(importWrapped('deleted')).rejects.toMatchObject({ kind: 'conflict' });
  });

  it('changes nothing once the time for that is over, and says so', async () => {
    const { version } = await importWrapped('in-time');
    const late = { deadline: new Date(Date.now() - 1) };
    const kek = await vault().getKey('kek');
    const blob = kek && wrapForTransfer(material.privateKey, kek);
    const changes = [
      () => vault().importPlain('in-time', material.privateKey, { ...options, ...late }),
      () => vault().importWrapped('in-time', blob ?? Buffer.alloc(0), { ...options, hardware: true, ...late }),
      () => vault().updateVersion('in-time', version, { ...options, enabled: false, ...late }),
      () => vault().deleteKey('in-time', late),
    ];
    for (const change of changes) await expect(change()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await vault().getKey('in-time')).toMatchObject({ version, enabled: true });
    expect(await vault().listVersions('in-time')).toHaveLength(1);
  });
});

describe('what the real one makes of failures', () => {
  it.each(permissions)('%s: a missing permission is forbidden, and named', async (missing) => {
    const calls: Record<(typeof permissions)[number], () => Promise<unknown>> = {
      get: () => real.getKey('any'),
      list: () => real.listVersions('any'),
      create: () => real.createKeyExchangeKey('any', {}),
      import: () => real.importPlain('any', material.privateKey, options),
      update: () => real.updateVersion('any', '0'.repeat(32), options),
      delete: () => real.deleteKey('any', inTime),
      recover: () => real.recoverKey('any', inTime),
    };
    setPermissions(permissions.filter((word) => word !== missing));
    try {
      await expect(calls[missing]()).rejects.toMatchObject({
        kind: 'forbidden',
        message: expect.stringContaining(`"${missing}"`) as string,
      });
    } finally {
      setPermissions(permissions);
    }
  });

  it('a firewall in the way is no missing permission', async () => {
    setFirewall([]);
    try {
      const shutOut = { kind: 'shut-out', message: expect.stringContaining('network rules') as string };
      await expect(real.getKey('any')).rejects.toMatchObject(shutOut);
      await expect(Array.fromAsync(real.listKeys())).rejects.toMatchObject(shutOut);
    } finally {
      setFirewall(undefined);
    }
  });

  const importOnce = () =>
    real.importPlain(`fault-${Math.random().toString(36).slice(2)}`, material.privateKey, options);

  it.each([
    ['a 429 without Retry-After', { kind: 'throttle' }, { kind: 'throttled', retryAfterSeconds: undefined }],
    ['a 429 with Retry-After', { kind: 'throttle', retryAfterSeconds: 7 }, { kind: 'throttled', retryAfterSeconds: 7 }],
    ['a 400', { kind: 'refuse', status: 400, code: 'BadParameter' }, { kind: 'refused' }],
    ['a 500 after the effect', { kind: 'fail-after-effect' }, { kind: 'unknown-outcome' }],
    ['a lost reply', { kind: 'drop-reply' }, { kind: 'unknown-outcome' }],
    ['a connection that broke', { kind: 'reset' }, { kind: 'unknown-outcome' }],
  ] as const)('an import with %s', async (_name, fault, expected) => {
    const remove = faults.add({ service: 'key-vault', operation: 'import', fault, times: 1 });
    try {
      await expect(importOnce()).rejects.toMatchObject(expected);
    } finally {
      remove();
    }
  });

  it('a change is never repeated by the client, whatever the answer', async () => {
    const before = faults.log.length;
    const remove = faults.add({ service: 'key-vault', operation: 'import', fault: { kind: 'refuse', status: 503 } });
    await expect(importOnce()).rejects.toMatchObject({ kind: 'unknown-outcome' });
    remove();
    expect(faults.log.length - before).toBe(1);
  });

  it('a change that can’t have an answer in time is broken off', async () => {
    const remove = faults.add({
      service: 'key-vault',
      operation: 'import',
      fault: { kind: 'delay', milliseconds: 3000 },
    });
    const start = performance.now();
    const deadline = new Date(Date.now() + 300);
    await expect(real.importPlain('slow', material.privateKey, { ...options, deadline })).rejects.toMatchObject({
      kind: 'unknown-outcome',
    });
    remove();
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('a change is not sent when the process was paused past its time, though no timer has noticed', async () => {
    const frozen = vi.spyOn(Date, 'now');
    // Signing in is what comes between the start of the call and its being sent.
    const pausing = createTargetVault({
      name: 'contract',
      url,
      credential: {
        getToken: async (...given) => {
          frozen.mockReturnValue(performance.timeOrigin + performance.now() + 3_600_000);
          return credential.getToken(...given);
        },
      },
    });
    try {
      const deadline = new Date(Date.now() + 60_000);
      await expect(
        pausing.updateVersion('versions', 'x', { ...options, enabled: true, deadline }),
      ).rejects.toMatchObject({
        kind: 'unavailable',
      });
    } finally {
      frozen.mockRestore();
    }
  });

  it('a read is repeated, and a failure of it is never taken for absence', async () => {
    const before = faults.log.length;
    const remove = faults.add({ service: 'key-vault', operation: 'get', fault: { kind: 'refuse', status: 503 } });
    await expect(real.getKey('any')).rejects.toMatchObject({ kind: 'unavailable' });
    remove();
    expect(faults.log.length - before).toBe(3);
  });

  it('a page of the list that doesn’t come makes the whole listing fail', async () => {
    for (const fault of [{ kind: 'broken-page' }, { kind: 'refuse', status: 503 }] as const) {
      const remove = faults.add({ service: 'key-vault', operation: 'list', after: 1, fault });
      const pages: number[] = [];
      await expect(async () => {
        for await (const page of real.listKeys()) pages.push(page.length);
      }).rejects.toMatchObject({ kind: 'unavailable' });
      remove();
      expect(pages).toEqual([25]);
    }
    setPermissions(permissions.filter((word) => word !== 'list'));
    await expect(Array.fromAsync(real.listKeys())).rejects.toMatchObject({ kind: 'forbidden' });
    setPermissions(permissions);
  });

  it('empty pages in the middle of the list are gone past', async () => {
    const whole = (await Array.fromAsync(real.listKeys())).flat().length;
    const remove = faults.add({
      service: 'key-vault',
      operation: 'list',
      after: 1,
      times: 2,
      fault: { kind: 'empty-page' },
    });
    const pages = await Array.fromAsync(real.listKeys());
    remove();
    expect(pages.filter((page) => page.length === 0)).toHaveLength(2);
    expect(pages.flat()).toHaveLength(whole);
  });

  it('a vault whose name nobody knows, and one that isn’t listening', async () => {
    const open = (address: string) =>
      createTargetVault({ name: 'nobody', url: address, credential: { getToken: async () => null } });
    await expect(open(url.replace('contract', 'nobody')).getKey('any')).rejects.toMatchObject({
      kind: 'no-such-vault',
    });
    await expect(open('https://contract.vault.localhost:1').getKey('any')).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await expect(
      open('https://contract.vault.localhost:1').importPlain('any', material.privateKey, options),
    ).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
