import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionsHost } from '../../src/local/functions-host/index.ts';
import { startBreakableProxy } from '../support/breakable-proxy.ts';
import { eventually, providerFields, startService, vaultOf, type Answer, type Service } from '../support/service.ts';

/*
 * What the service itself needs is missing, wrong, away for a while or goes wrong in the worker: callers are told so in
 * JSON with a status that says "try again", never with a 404, and everything works again as soon as it can.
 */

let service: Service;

beforeAll(async () => {
  service = await startService({ platform: { vaults: [{ name: 'learn-keyvault', sku: 'premium' }] } });
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  await service.vault('POST', 'keymgmt/key/one');
  await service.vault('PUT', 'keymgmt/kms/learn', providerFields('learn-keyvault'));
});

afterAll(() => service.stop());

const onHost = (host: FunctionsHost) => vaultOf(host, service.platform.rootToken);

function expectUnavailable({ status, headers, body }: Answer, words: RegExp): void {
  expect({ status, body, type: headers.get('content-type') }).toEqual({
    status: 503,
    body: { errors: [expect.stringMatching(words)] },
    type: 'application/json',
  });
}

describe.each<[name: string, setting: string, value: string | undefined]>([
  ['missing', 'KEYFLEET_HOME_VAULT_URI', undefined],
  ['empty', 'KEYFLEET_HOME_VAULT_URI', ''],
  ['no URL', 'KEYFLEET_HOME_VAULT_URI', 'the-value-of-the-setting'],
  ['not https', 'KEYFLEET_TABLES_ENDPOINT', 'http://the-value-of-the-setting'],
  ['not JSON', 'KEYFLEET_CLOUDS', '{"the-value-of-the-setting'],
])('with a setting that is %s (%s)', (_name, setting, value) => {
  let host: FunctionsHost;

  beforeAll(async () => {
    host = await service.startHost({
      settings: { [setting]: value },
      disabledFunctions: ['distribution', 'reconcile'],
    });
  });
  afterAll(() => host.stop());

  test.each(['GET', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s answers 503 and names it',
    async (verb) => {
      for (const path of ['keymgmt/key/one', 'sys/health', 'sys/seal-status', '']) {
        const answer = await onHost(host)(verb, path);
        expectUnavailable(answer, new RegExp(`not configured: ${setting}`));
        expect(answer.text).not.toContain('the-value-of-the-setting');
      }
    },
  );

  test('HEAD answers 503 without a body, and so does the root', async () => {
    const head = await fetch(`${host.url}/v1/sys/health`, { method: 'HEAD' });
    expect({ status: head.status, type: head.headers.get('content-type') }).toEqual({
      status: 503,
      type: 'application/json',
    });
    expect((await fetch(host.url)).status).toBe(503);
  });
});

describe('while a service that it needs is away', () => {
  test('the home vault: 503, and all is well once it is back', async () => {
    const home = service.platform.keyVault.control('keyfleet-home');
    // This host has not read its data key yet.
    const host = await service.startHost({ disabledFunctions: ['distribution'] });
    home.setFirewall([]);
    expectUnavailable(await onHost(host)('GET', 'keymgmt/key/one'), /can't open its state.*network rules/);
    home.setFirewall(undefined);
    expect(await onHost(host)('GET', 'keymgmt/key/one')).toMatchObject({ status: 200 });
    await host.stop();
  });

  test('the identity: 503, and all is well once it is back', async () => {
    const host = await service.startHost({ disabledFunctions: ['distribution'] });
    const mend = service.platform.faults.add({ service: 'identity', fault: { kind: 'refuse', status: 400 } });
    expectUnavailable(await onHost(host)('GET', 'keymgmt/key/one'), /state/);
    mend();
    expect(await onHost(host)('GET', 'keymgmt/key/one')).toMatchObject({ status: 200 });
    await host.stop();
  });

  test('Table Storage: 503 for reads and writes, and all is well once it is back', async () => {
    const endpoint = new URL(service.platform.tables);
    const proxy = await startBreakableProxy(Number(endpoint.port));
    endpoint.port = String(proxy.port);
    const host = await service.startHost({
      settings: { KEYFLEET_TABLES_ENDPOINT: endpoint.href },
      disabledFunctions: ['distribution'],
    });
    const vault = onHost(host);
    expect(await vault('GET', 'keymgmt/key/one')).toMatchObject({ status: 200 });
    proxy.break();
    const answers = await Promise.all([
      vault('GET', 'keymgmt/key/one'),
      vault('LIST', 'keymgmt/key'),
      vault('POST', 'keymgmt/key/three'),
      vault('POST', 'keymgmt/key/one', { min_enabled_version: 0 }),
      vault('DELETE', 'keymgmt/kms/learn'),
    ]);
    for (const answer of answers) expectUnavailable(answer, /state can't be (read|changed) now/);
    expect(await vault('GET', 'sys/seal-status')).toMatchObject({ status: 200 });
    proxy.mend();
    expect(await vault('GET', 'keymgmt/key/one')).toMatchObject({
      status: 200,
      body: { data: { min_enabled_version: 1 } },
    });
    expect(await vault('POST', 'keymgmt/key/three')).toMatchObject({ status: 204 });
    await host.stop();
    await proxy.stop();
  });

  test('Service Bus: the change is made, and one is told that nobody could be woken yet', async () => {
    const host = await service.startHost({
      settings: { ServiceBus__fullyQualifiedNamespace: 'localhost:1', KEYFLEET_WAIT_SECONDS: '1' },
      disabledFunctions: ['distribution'],
    });
    await service.vault('POST', 'keymgmt/key/unwoken');
    const { status, body } = await onHost(host)('PUT', 'keymgmt/kms/learn/key/unwoken', { purpose: 'sign' });
    expect({ status, warnings: body.warnings }).toEqual({
      status: 200,
      warnings: [expect.stringContaining('version 1 is not there yet')],
    });
    await host.stop();
  });
});

describe('when something goes wrong inside the worker', () => {
  const preload = fileURLToPath(new URL('../support/floating-rejections.ts', import.meta.url));

  test('a promise that nobody looks at ends neither the worker nor what it is doing', async () => {
    const lines: string[] = [];
    const host = await service.startHost({
      disabledFunctions: ['distribution'],
      log: ({ message }) => void lines.push(message),
      settings: { KEYFLEET_WAIT_SECONDS: '2', languageWorkers__node__arguments: `--import ${preload}` },
    });
    const vault = onHost(host);
    await vault('POST', 'keymgmt/key/rejected');
    const { workerPid } = host;
    let done = false;
    const remove = service.platform.faults.add({
      service: 'key-vault',
      operation: 'import',
      fault: { kind: 'delay', milliseconds: 3000 },
    });
    const inFlight = vault('PUT', 'keymgmt/kms/learn/key/rejected', { purpose: 'sign' }).finally(() => (done = true));
    for (let count = 0; count < 3; count++) {
      process.kill(workerPid, 'SIGUSR2');
      await eventually(
        'a word in the log',
        () => lines.filter((line) => line.includes('nobody looked')).length > count,
      );
    }
    expect(done).toBe(false);
    expect((await inFlight).status).toBe(200);
    remove();
    expect(host.workerPid).toBe(workerPid);
    expect(await vault('GET', 'keymgmt/key/rejected')).toMatchObject({ status: 200 });
    expect(lines.join('\n')).not.toContain('secret-of-a-library');
    await host.stop();
  });

  test('a worker that is killed is replaced, and its work is done', async () => {
    const { host, vault } = service;
    await vault('POST', 'keymgmt/key/survivor');
    const { workerPid } = host;
    process.kill(workerPid, 'SIGKILL');
    await eventually('another worker', () => ![0, workerPid].includes(host.workerPid));
    expect(await vault('PUT', 'keymgmt/kms/learn/key/survivor', { purpose: 'sign' })).toMatchObject({ status: 204 });
  });
});
