import { randomUUID } from 'node:crypto';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { providerApplication } from '../../src/local/platform/index.ts';
import { distributionQueue, encodeCheck, sessionIdOf } from '../../src/messaging/wake-up.ts';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { openState } from '../../src/local/open-state.ts';
import { eventually, keyClient, mountUuid, providerFields, startService, type Service } from '../support/service.ts';

/* Somebody changes keys in a vault; a check finds out, over the real protocols. */

const vaultName = 'first-keyvault';
const names = Array.from({ length: 26 }, (_, index) => `k-${index}`);

let service: Service;
let keymgmt: Keymgmt;
let bus: ServiceBusClient;

interface Status {
  light_pass: string | null;
  list_permitted: boolean;
  not_seen?: string;
  failure?: string;
  extra: string[];
  keys: Record<
    string,
    { name: string; versions: Record<string, { state: string; reason?: string }>; notes?: string[] }
  >;
}

beforeAll(async () => {
  service = await startService({ platform: { vaults: [{ name: vaultName, sku: 'premium' }] } });
  bus = new ServiceBusClient(service.platform.serviceBus, service.platform.developer.credential);
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
  await keymgmt.done('PUT', `kms/p`, providerFields(vaultName));
  for (const name of names) {
    await keymgmt.done('POST', `key/${name}`);
    await keymgmt.send('PUT', `kms/p/key/${name}`, { purpose: 'sign' });
  }
}, 120_000);

afterAll(async () => {
  await bus.close();
  await service.stop();
});

const status = async () => (await keymgmt.read('kms/p/status')) as unknown as Status;
const stateOf = async (name: string) => (await status()).keys[name]?.versions['1']?.state;

/** What the timer would send; waits until the check came to an end. */
async function check(): Promise<void> {
  const reference = { mount: await mountUuid(openState(service.platform), 'keymgmt/'), provider: 'p' };
  const before = await status();
  const sender = bus.createSender(distributionQueue);
  await sender.sendMessages({
    body: encodeCheck(reference),
    contentType: 'application/json',
    messageId: randomUUID(),
    sessionId: sessionIdOf(reference),
  });
  await sender.close();
  await eventually('the end of the check', async () => {
    const { light_pass: lightPass, failure } = await status();
    return lightPass !== before.light_pass || failure !== before.failure;
  });
}

test('a version is confirmed once a read showed it; after that a check reads list pages alone', async () => {
  expect(await stateOf('k-1')).toBe('imported');
  await check();
  const { keys, list_permitted: mayList, not_seen: notSeen } = await status();
  expect(mayList).toBe(false);
  expect(notSeen).toContain('"list"');
  for (const name of names) expect(keys[name]?.versions['1']?.state, name).toBe('confirmed');
  const words = ['create', 'delete', 'get', 'import', 'update', 'list', 'recover'] as const;
  service.platform.keyVault.control(vaultName).setAccess(providerApplication.objectId, { keys: words });
  await check();
  expect((await status()).list_permitted).toBe(true);
  const before = service.platform.keyVault.calls.length;
  await check();
  const calls = service.platform.keyVault.calls
    .slice(before)
    .filter(({ vault, status }) => vault === vaultName && status !== 401);
  expect(calls.map(({ operation }) => operation)).toEqual(['list', 'list']);
  console.log(`${names.length + 1} keys: ${calls.length} list calls, 0 gets`);
}, 60_000);

test('what somebody did is found and undone; what isn’t ours is left alone', async () => {
  const { keys } = await status();
  const client = keyClient(service.platform, vaultName);
  const nameOf = (name: string) => keys[name]?.name ?? '';
  await client.updateKeyProperties(nameOf('k-1'), { enabled: false });
  await client.updateKeyProperties(nameOf('k-2'), { tags: {}, keyOps: ['verify'] });
  await (await client.beginDeleteKey(nameOf('k-3'))).pollUntilDone();
  await client.createRsaKey('theirs');
  await check();
  await eventually('agreement', async () => {
    const shown = (await keymgmt.send('GET', 'kms/p/key/k-3')).body.warnings;
    const [first, second] = await Promise.all(['k-1', 'k-2'].map((name) => client.getKey(nameOf(name))));
    return shown === null && first?.properties.enabled === true && second?.key?.keyOps?.join() === 'sign';
  });
  await check();
  for (const name of ['k-1', 'k-2', 'k-3']) expect(await stateOf(name), name).toBe('confirmed');
  expect((await client.getKey('theirs')).properties.enabled).toBe(true);
}, 60_000);
