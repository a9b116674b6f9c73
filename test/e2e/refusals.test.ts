import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { providerApplication } from '../../src/local/platform/index.ts';
import { errorOf, keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { openState } from '../../src/local/open-state.ts';
import {
  eventually,
  mountUuid,
  providerCredentials,
  providerFields,
  runTimer,
  startService,
  type Service,
} from '../support/service.ts';

/*
 * What nobody but Key Vault and Entra can refuse. The caller learns of it in words, the wish stays on record and can be
 * tried again or given up, and neither the key nor the vault has changed.
 */

const secret = providerCredentials().client_secret ?? '';
const permissions = ['create', 'delete', 'get', 'import', 'update'];

let service: Service;
let keymgmt: Keymgmt;
/** Everything that was answered or logged. */
const heard: string[] = [];

beforeAll(async () => {
  service = await startService({
    platform: {
      vaults: [
        { name: 'standard-keyvault', sku: 'standard' },
        { name: 'closed-keyvault', sku: 'premium', access: { [providerApplication.objectId]: {} } },
        { name: 'entra-keyvault', sku: 'premium' },
      ],
    },
    log: (line) => heard.push(JSON.stringify(line)),
  });
  const { vault } = service;
  service.vault = async (...request) => {
    const answer = await vault(...request);
    heard.push(answer.text);
    return answer;
  };
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
});

afterAll(() => service.stop());

const warningsOf = async (path: string) => (await keymgmt.send('GET', path)).body.warnings?.join('\n') ?? '';

describe('a distribution that was refused', () => {
  const distribute = (path: string, protection = 'hsm') => keymgmt.send('PUT', path, { purpose: 'sign', protection });

  beforeAll(async () => {
    await keymgmt.done('PUT', 'kms/nowhere', providerFields('missing-keyvault'));
    await keymgmt.done('PUT', 'kms/standard', providerFields('standard-keyvault'));
    await keymgmt.done('PUT', 'kms/closed', providerFields('closed-keyvault'));
    await keymgmt.done('POST', 'key/refused', { deletion_allowed: true });
  });

  const rows: [name: string, provider: string, words: RegExp][] = [
    ['there is no such vault', 'nowhere', /Key Vault "missing-keyvault".*no vault of this name exists/],
    ['the vault has no hardware', 'standard', /Key Vault "standard-keyvault".*(hardware|HSM|[Ss]tandard|Premium)/],
    ['nothing is permitted', 'closed', /Key Vault "closed-keyvault".*lacks the key permission "get"/],
  ];
  test.each(rows)('because %s, says so, is kept, refused again and given up', async (_name, provider, words) => {
    const path = `kms/${provider}/key/refused`;
    const before = await keymgmt.key('refused');
    expect(errorOf(await distribute(path))).toMatch(words);
    const { body } = await keymgmt.send('GET', path);
    expect(body.data).toMatchObject({ purpose: 'sign', protection: 'hsm', versions: {} });
    expect(body.warnings).toEqual([expect.stringMatching(words)]);
    expect(await keymgmt.list('key/refused/kms')).toEqual([provider]);
    expect(await keymgmt.list(`kms/${provider}/key`)).toEqual(['refused']);

    expect(errorOf(await distribute(path))).toMatch(words);
    await keymgmt.done('DELETE', path);
    expect((await keymgmt.send('GET', path)).status).toBe(404);
    expect(await keymgmt.list('key/refused/kms')).toEqual({ errors: [] });
    expect(await keymgmt.key('refused')).toEqual(before);
  });

  test('because of the network rules, says so, and goes on once they let it in', async () => {
    const { keyVault } = service.platform;
    await keymgmt.done('PUT', 'kms/walled', providerFields('entra-keyvault'));
    keyVault.control('entra-keyvault').setFirewall([]);
    const error = errorOf(await distribute('kms/walled/key/refused'));
    expect(error).toContain("network rules don't let this service in (ForbiddenByFirewall)");
    keyVault.control('entra-keyvault').setFirewall(undefined);
    expect(await distribute('kms/walled/key/refused')).toMatchObject({ status: 204 });
    await keymgmt.done('DELETE', 'kms/walled/key/refused');
  });

  test('because of the hardware, is accepted as software', async () => {
    const path = 'kms/standard/key/refused';
    expect(errorOf(await distribute(path, 'hsm'))).toBeTruthy();
    expect(errorOf(await distribute(path, 'software'))).toContain("can't be changed");
    await keymgmt.done('DELETE', path);
    expect(await distribute(path, 'software')).toMatchObject({ status: 204 });
    await keymgmt.done('DELETE', path);
  });

  test('keeps the key from being deleted, and lets it be once it is given up', async () => {
    await keymgmt.done('POST', 'key/held', { deletion_allowed: true });
    errorOf(await distribute('kms/nowhere/key/held'));
    expect(errorOf(await keymgmt.send('DELETE', 'key/held'))).toContain('distributed to nowhere');
    expect(errorOf(await keymgmt.send('DELETE', 'kms/nowhere'))).toContain('held');
    await keymgmt.done('DELETE', 'kms/nowhere/key/held');
    await keymgmt.done('DELETE', 'key/held');
    await keymgmt.done('DELETE', 'kms/nowhere');
  });

  /*
   * The back-off starts at a minute. Rather than wait for it, both records of when the next try is due are moved into
   * the past through the production stores; the timer, the queue and the worker are the real ones.
   */
  test('for a permission, is tried again by the timer, not before it is due', async () => {
    const { platform, host } = service;
    const path = 'kms/closed/key/patient';
    await keymgmt.done('POST', 'key/patient');
    errorOf(await distribute(path));
    platform.keyVault.control('closed-keyvault').setAccess(providerApplication.objectId, { keys: permissions });
    const calls = () => platform.keyVault.calls.filter(({ vault }) => vault === 'closed-keyvault').length;

    const state = openState(platform);
    const reference = { mount: await mountUuid(state, 'keymgmt/'), key: 'patient', provider: 'closed' };
    const subject = { kind: 'distribution', ...reference } as const;
    const intent = await state.intents.read(subject);
    const waits = (intent?.dueTime.getTime() ?? 0) - Date.now();
    expect(waits).toBeGreaterThan(30_000);
    expect(waits).toBeLessThan(130_000);
    const before = calls();
    const runs = () => heard.filter((line) => line.includes("Executed 'Functions.reconcile' (Succeeded")).length;
    const runsBefore = runs();
    await runTimer(host, 'reconcile');
    await eventually("the timer's run", () => runs() > runsBefore);
    expect((await state.intents.read(subject))?.stamp).toBe(intent?.stamp);
    expect(calls()).toBe(before);

    const distribution = await state.keys.readDistribution(reference);
    const { refusal } = distribution ?? {};
    if (distribution === undefined || refusal === undefined) throw new Error('there is no refusal');
    expect(refusal.retryTime).toEqual(intent?.dueTime);
    const past = new Date(Date.now() - 1000);
    await state.keys.putDistribution(reference, { ...distribution, refusal: { ...refusal, retryTime: past } });
    await state.intents.put(subject, { dueTime: past, attempts: 1 });
    await eventually('the distribution', async () => {
      await runTimer(host, 'reconcile');
      return Object.keys((await keymgmt.distribution(path)).versions).length === 1;
    });
    expect(await warningsOf(path)).toBe('');
    await eventually('the end of the intent', async () => (await state.intents.read(subject)) === undefined);
  });
});

describe('credentials that Entra refuses', () => {
  const unknownClient = '11111111-2222-4333-8444-555555555555';
  const wrongSecret = 'wr0ng~secret/of+nobody';
  const rows: [name: string, credentials: Record<string, string>, words: RegExp][] = [
    ['a wrong client secret', { client_secret: wrongSecret }, /Entra refused the credentials: AADSTS7000215/],
    ['an unknown client', { client_id: unknownClient }, /Entra refused the credentials: AADSTS700016/],
    [
      "another tenant than the vault's",
      { tenant_id: '99999999-8888-4777-8666-555555555555' },
      /belongs to tenant cd4bf224-.*tenant_id is 99999999-/,
    ],
  ];

  test.each(rows)('for %s: the reason is told, the secret is not', async (name, wrong, words) => {
    const provider = name.replaceAll(/[^a-z]/g, '-').replace(/-+/g, '-');
    const path = `kms/${provider}/key/${provider}`;
    await keymgmt.done('POST', `key/${provider}`);
    await keymgmt.done('PUT', `kms/${provider}`, providerFields('entra-keyvault', providerCredentials(wrong)));
    const error = errorOf(await keymgmt.send('PUT', path, { purpose: 'sign' }));
    expect(error).toMatch(words);
    expect(await warningsOf(path)).toMatch(words);

    // The right ones are all that it waited for: nobody asks again.
    await keymgmt.done('PUT', `kms/${provider}`, { credentials: providerCredentials() });
    const versions = await eventually('the distribution', async () => {
      const seen = Object.keys((await keymgmt.distribution(path)).versions);
      return seen.length > 0 && seen;
    });
    expect(versions).toEqual(['1']);
    const { body } = await keymgmt.send('GET', `kms/${provider}`);
    expect(body.data).toEqual({ provider: 'azurekeyvault', key_collection: 'entra-keyvault' });
  });

  test('appear in no reply and in no log, nor do good ones', () => {
    expect(heard.length).toBeGreaterThan(100);
    const all = heard.join('\n');
    for (const text of [wrongSecret, secret]) {
      expect(all).not.toContain(text);
      expect(all).not.toContain(encodeURIComponent(text));
      expect(all).not.toContain(Buffer.from(text).toString('base64'));
    }
    expect(all).toContain('AADSTS7000215');
  });
});
