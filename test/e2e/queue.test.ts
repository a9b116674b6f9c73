import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sessionIdOf } from '../../src/messaging/wake-up.ts';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { openState } from '../../src/local/open-state.ts';
import { eventually, mountUuid, providerFields, runTimer, startService, type Service } from '../support/service.ts';
import { spki } from '../support/vault-contents.ts';
import type { FunctionsHost } from '../../src/local/functions-host/index.ts';
import type { FaultRule } from '../../src/local/faults.ts';

/*
 * The request only says what should be true; a message wakes whoever makes it so. Late, doubled, lost and foreign
 * messages, a worker that dies and replies that get lost make no difference to what comes of it.
 */

const vaultNames = ['first-keyvault', 'second-keyvault', 'third-keyvault'];
const queue = 'distribution';

let service: Service;
let keymgmt: Keymgmt;
/** The host that has the queue's trigger, while there is one. */
let worker: FunctionsHost | undefined;
let bus: ServiceBusClient;

beforeAll(async () => {
  service = await startService({
    platform: { vaults: vaultNames.map((name) => ({ name, sku: 'premium' })) },
    settings: { KEYFLEET_WAIT_SECONDS: '1' },
    disabledFunctions: ['distribution'],
  });
  bus = new ServiceBusClient(service.platform.serviceBus, service.platform.developer.credential);
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'keymgmt');
  for (const name of vaultNames) await keymgmt.done('PUT', `kms/${name}`, providerFields(name));
});

afterEach(() => service.platform.faults.clear());

afterAll(async () => {
  await bus.close();
  await service.stop();
});

const isTarget = ({ vault }: { vault: string }) => vaultNames.includes(vault);
const callsOnTargets = () => service.platform.keyVault.calls.filter(isTarget).length;
const withWorker = async () => (worker ??= await service.startHost());
const path = (key: string, vaultName = vaultNames[0] ?? '') => `kms/${vaultName}/key/${key}`;

/** Waits until every vault has every version, and looks whether it is what it should be. */
async function expectConverged(key: string, vaults: readonly string[]): Promise<void> {
  const { latest_version: latest, versions } = await keymgmt.key(key);
  const ours = Object.values(versions).map(({ public_key: pem }) => spki(pem));
  for (const vaultName of vaults) {
    await eventually(`agreement of ${vaultName}`, async () => {
      const { body } = await keymgmt.send('GET', path(key, vaultName));
      return body.warnings === null;
    });
    const { versions: ids } = await keymgmt.distribution(path(key, vaultName));
    const seen = await keymgmt.seen(path(key, vaultName), vaultName);
    expect(seen.map(({ number }) => number)).toEqual(Array.from({ length: latest }, (_, index) => index + 1));
    expect(seen.map(({ id }) => id)).toEqual(Object.values(ids));
    expect(seen.map(({ publicKey }) => spki(publicKey))).toEqual(ours);
    expect(seen.map(({ enabled }) => enabled)).toEqual(ours.map(() => true));
  }
}

describe('while nobody takes messages', () => {
  test('a distribution answers with a warning, and no vault has been asked anything', async () => {
    await keymgmt.done('POST', 'key/early');
    const before = callsOnTargets();
    const start = performance.now();
    const { status, body } = await keymgmt.send('PUT', path('early'), { purpose: 'sign' });
    expect(performance.now() - start).toBeGreaterThan(900);
    expect(status).toBe(200);
    expect(body).toMatchObject({ data: null, auth: null, mount_type: 'keymgmt' });
    expect(body.warnings).toEqual([
      expect.stringMatching(
        /provider "first-keyvault": version 1 is not there yet\..*read kms\/first-keyvault\/key\/early/,
      ),
    ]);
    expect(callsOnTargets()).toBe(before);
    expect(service.platform.broker.queue(queue).active).toBe(1);
  });

  test('a message says nothing but where to look', async () => {
    const [message, ...others] = service.platform.broker.queue(queue).messages();
    expect(others).toEqual([]);
    const mount = await mountUuid(openState(service.platform), 'keymgmt/');
    expect(message?.body).toEqual({ wakeUp: { mount, key: 'early', provider: 'first-keyvault' } });
    expect(message?.applicationProperties).toEqual({});
  });

  test('a reader is told what is pending', async () => {
    const { status, body } = await keymgmt.send('GET', path('early'));
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ purpose: 'sign', versions: {} });
    expect(body.warnings).toEqual([expect.stringContaining('version 1 is not there yet')]);
  });

  test.each([
    ['PUT', 'kms/second-keyvault/key/early', { purpose: 'sign' }],
    ['PUT', 'kms/first-keyvault/key/early', { purpose: 'sign' }],
    ['DELETE', 'kms/second-keyvault/key/early', undefined],
  ])('%s %s answers at once if the caller would rather not wait', async (method, target, body) => {
    const start = performance.now();
    const { status, body: answer } = await keymgmt.send(method, target, body, { Prefer: 'respond-async' });
    expect(performance.now() - start).toBeLessThan(900);
    expect({ status, warnings: answer.warnings }).toEqual({ status: 200, warnings: [expect.any(String)] });
  });

  test('all is done once somebody does', async () => {
    await withWorker();
    await expectConverged('early', ['first-keyvault']);
    await eventually(
      'the removal',
      async () => (await keymgmt.send('GET', path('early', 'second-keyvault'))).status === 404,
    );
    expect(await keymgmt.list('key/early/kms')).toEqual(['first-keyvault']);
    await eventually('the end of the queue', () => service.platform.broker.queue(queue).active === 0);
  });
});

describe('a rotation of a key in three vaults', () => {
  const key = 'wide';

  beforeAll(async () => {
    await withWorker();
    await keymgmt.done('POST', `key/${key}`);
    for (const name of vaultNames) {
      await keymgmt.send('PUT', path(key, name), { purpose: 'sign' });
    }
    await expectConverged(key, vaultNames);
  });

  const once = { times: 3 };
  const rows: [name: string, rules: FaultRule[]][] = [
    ['nothing in its way', []],
    ['every message delivered twice', [{ service: 'service-bus', operation: 'deliver', fault: { kind: 'twice' } }]],
    ['every message sent twice', [{ service: 'service-bus', operation: 'send', fault: { kind: 'twice' } }]],
    [
      'the reply of each import dropped',
      [{ service: 'key-vault', operation: 'import', fault: { kind: 'drop-reply' }, ...once }],
    ],
    [
      'each import failing after its effect',
      [{ service: 'key-vault', operation: 'import', fault: { kind: 'fail-after-effect' }, ...once }],
    ],
    [
      'each import throttled',
      [{ service: 'key-vault', operation: 'import', fault: { kind: 'throttle', retryAfterSeconds: 1 }, ...once }],
    ],
    [
      'the connection of each import reset',
      [{ service: 'key-vault', operation: 'import', fault: { kind: 'reset' }, ...once }],
    ],
    [
      'replies dropped and messages doubled',
      [
        { service: 'key-vault', operation: 'import', fault: { kind: 'drop-reply' }, ...once },
        { service: 'service-bus', operation: 'deliver', fault: { kind: 'twice' } },
      ],
    ],
  ];
  test.each(rows)('with %s leaves one new version in each', async (_name, rules) => {
    const { latest_version: before } = await keymgmt.key(key);
    for (const rule of rules) service.platform.faults.add(rule);
    const taken = service.platform.faults.log.length;
    const { status, text } = await keymgmt.send('POST', `key/${key}/rotate`);
    expect({ status, text }).toMatchObject({ status: expect.toBeOneOf([200, 204]) as number });
    expect(await keymgmt.key(key)).toMatchObject({ latest_version: before + 1 });
    await expectConverged(key, vaultNames);
    if (rules.length > 0) expect(service.platform.faults.log.length).toBeGreaterThan(taken);
  });

  test('with the worker killed in the middle of it leaves one new version in each', async () => {
    const host = await withWorker();
    const { latest_version: before } = await keymgmt.key(key);
    const { faults } = service.platform;
    const taken = faults.log.length;
    // Every vault has had the import, and none has answered, when the worker goes.
    faults.add({ service: 'key-vault', operation: 'import', fault: { kind: 'delay', milliseconds: 3000 }, times: 3 });
    const rotated = keymgmt.send('POST', `key/${key}/rotate`);
    await eventually('three imports', () => faults.log.length === taken + 3);
    const { workerPid } = host;
    process.kill(workerPid, 'SIGKILL');
    // Whether that was in time for the answer is a matter of luck.
    expect((await rotated).status).toBeOneOf([200, 204]);
    await eventually('another worker', () => ![0, workerPid].includes(host.workerPid));
    expect(await keymgmt.key(key)).toMatchObject({ latest_version: before + 1 });
    await expectConverged(key, vaultNames);
  });
});

describe('messages of others', () => {
  /** In the session of a distribution, so that they stand in the way of its own messages. */
  async function send(key: string, body: unknown): Promise<void> {
    const mount = await mountUuid(openState(service.platform), 'keymgmt/');
    const sessionId = sessionIdOf({ mount, key, provider: 'first-keyvault' });
    const sender = bus.createSender(queue);
    await sender.sendMessages({ body, sessionId, contentType: 'application/json' });
    await sender.close();
  }

  const rows: [name: string, body: unknown][] = [
    ['a text', 'wake up'],
    ['something else entirely', { order: 66 }],
    ['a wake-up with an instruction', { wakeUp: { mount: 'm', key: 'k', provider: 'p', action: 'delete' } }],
    ['a wake-up that is not below its field', { mount: 'm', key: 'k', provider: 'p' }],
    ['a wake-up beside a field', { wakeUp: { mount: 'm', key: 'k', provider: 'p' }, deliveryCount: 1 }],
    ['fields that the host takes for its own', { messageId: 'x', deliveryCount: 1, lockToken: 'x', sessionId: 'y' }],
  ];
  test.each(rows)('%s ends among the dead letters, and the queue goes on', async (name, body) => {
    await withWorker();
    const key = `after-${rows.findIndex(([one]) => one === name)}`;
    await keymgmt.done('POST', `key/${key}`);
    const before = service.platform.broker.queue(queue).deadLettered;
    await send(key, body);
    await keymgmt.send('PUT', path(key), { purpose: 'sign' });
    await expectConverged(key, ['first-keyvault']);
    await eventually('the dead letter', () => service.platform.broker.queue(queue).deadLettered === before + 1);
    expect(service.platform.broker.queue(queue).deadLetters().at(-1)?.body).toEqual(body);
  });

  test('a wake-up for what there is not has no effect', async () => {
    const before = callsOnTargets();
    const deadLetters = service.platform.broker.queue(queue).deadLettered;
    const mount = await mountUuid(openState(service.platform), 'keymgmt/');
    await send('ghost', { wakeUp: { mount, key: 'ghost', provider: 'first-keyvault' } });
    await eventually('an empty queue', () => service.platform.broker.queue(queue).active === 0);
    expect(callsOnTargets()).toBe(before);
    expect(service.platform.broker.queue(queue).deadLettered).toBe(deadLetters);
    expect(await keymgmt.list(`kms/first-keyvault/key`)).not.toContain('ghost');
  });
});

describe('a wake-up that is lost', () => {
  /*
   * Whoever makes a change has a minute to see to it before the timer does. Rather than wait for it, the intent is put
   * back to when that minute is over, through the production store.
   */
  test('is made up for by the timer', async () => {
    const host = await withWorker();
    await host.stop();
    worker = undefined;
    await keymgmt.done('POST', 'key/lost');
    await keymgmt.send('PUT', path('lost'), { purpose: 'sign' }, { Prefer: 'respond-async' });
    const receiver = await bus.acceptNextSession(queue);
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5000 });
    expect(message?.body).toMatchObject({ wakeUp: { key: 'lost' } });
    if (message) await receiver.completeMessage(message);
    await receiver.close();
    expect(service.platform.broker.queue(queue).active).toBe(0);

    const next = await withWorker();
    const state = openState(service.platform);
    const mount = await mountUuid(state, 'keymgmt/');
    const subject = { kind: 'distribution', mount, key: 'lost', provider: 'first-keyvault' } as const;
    expect((await state.intents.read(subject))?.attempts).toBe(0);
    await state.intents.put(subject, { dueTime: new Date(Date.now() - 1000), attempts: 0 });
    await runTimer(next, 'reconcile');
    await expectConverged('lost', ['first-keyvault']);
    await eventually('the end of the intent', async () => (await state.intents.read(subject)) === undefined);
  });
});
