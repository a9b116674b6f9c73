import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AzureAddresses } from '../../../src/local/azure/addresses.ts';

const script = fileURLToPath(new URL('../../../src/local/azure/main.ts', import.meta.url));
const nodeModules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyfleet-azure-'));
});
afterAll(() => rm(folder, { recursive: true }));

function start(commandLine: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [script, ...commandLine], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    // A group of its own, so that it can be signalled as a terminal does.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  return {
    output: () => output,
    exitCode,
    async said(text: string): Promise<void> {
      while (!output.includes(text)) {
        if (child.exitCode !== null) throw new Error(output);
        await Promise.race([once(child.stdout, 'data'), exitCode]);
      }
    },
    /** To the whole group, the app's process included. */
    interrupt: () => process.kill(-(child.pid ?? 0), 'SIGINT'),
  };
}

const write = (file: string, content: unknown) =>
  writeFile(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));

const readyText = "Azure's stand-ins are ready";

type Written = AzureAddresses & { app?: { url: string; masterKey: string } };
const readWritten = async (file: string) => JSON.parse(await readFile(join(folder, file), 'utf8')) as Written;

test('starts what there is by default, says where, and ends cleanly when the terminal interrupts it', async () => {
  const started = start([]);
  await started.said('Ctrl+C');
  const file = '.keyfleet/azure.json';
  expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  const written = await readWritten(file);
  expect(Object.keys(written.vaults)).toEqual(['learn-keyvault', 'standard-keyvault']);
  expect(await readFile(written.caFile, 'utf8')).toContain('BEGIN CERTIFICATE');
  const { identityHeader = '' } = written.managedIdentities.developer ?? {};
  const answer = await fetch(`${written.identityEndpoint}?api-version=2019-08-01&resource=https://vault.localhost`, {
    headers: { 'x-identity-header': identityHeader },
  });
  expect(answer.status).toBe(200);
  for (const address of [written.tables, written.serviceBus, written.authorityHost]) {
    expect(started.output()).toContain(address);
  }
  started.interrupt();
  expect(await started.exitCode).toBe(0);
  expect(existsSync(join(folder, file))).toBe(false);
});

test('starts what a file describes, at fixed ports, and runs an app of anybody with the environment as settings', async () => {
  const [port = 0, ownPort = 0] = await Promise.all([freePort(), freePort()]);
  await write('azure.json', {
    managedIdentities: [{ name: 'other' }, { name: 'app-identity' }],
    vaults: [
      {
        name: 'fixed',
        port: ownPort,
        access: { model: 'rbac', grants: { 'app-identity': { roles: ['Key Vault Secrets Officer'] } } },
      },
    ],
    queues: [{ name: 'work' }],
    ports: { serviceBus: port },
  });
  await mkdir(join(folder, 'app'));
  await symlink(nodeModules, join(folder, 'app/node_modules'));
  await write('app/package.json', { type: 'module', main: 'main.mjs' });
  await write('app/host.json', { version: '2.0', extensions: { http: { routePrefix: '' } } });
  await write('app/main.mjs', appSource);
  const started = start(
    [
      '--config',
      'azure.json',
      '--output',
      'out/here.json',
      '--app',
      'app',
      '--identity',
      'app-identity',
      '--port',
      '0',
    ],
    {
      Bus__fullyQualifiedNamespace: `localhost:${port}`,
      VAULT: `https://localhost:${ownPort}`,
      GREETING: 'hello from the environment',
      npm_config_secret: 'of npm',
    },
  );
  await started.said('Ctrl+C');
  const written = await readWritten('out/here.json');
  expect(written).toMatchObject({
    serviceBus: `localhost:${port}`,
    vaults: { fixed: { url: `https://localhost:${ownPort}` } },
  });
  const answer = await fetch(`${written.app?.url}/go`, { method: 'POST' });
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { greeting: 'hello from the environment', secret: 'kept', npm: null },
  ]);
  await started.said('worked on it');
  const run = await fetch(`${written.app?.url}/admin/functions/tick`, {
    method: 'POST',
    headers: { 'x-functions-key': written.app?.masterKey ?? '', 'content-type': 'application/json' },
    body: '{}',
  });
  expect(run.status).toBe(202);
  await started.said('ticked');
  started.interrupt();
  expect(await started.exitCode).toBe(0);
});

test.each([
  [['--prot'], 2, "Unknown option '--prot'"],
  [['--port', '1'], 2, 'give --app DIR too'],
  [['--app', '.', '--port', 'x'], 2, "--port takes a number up to 65535, not 'x'"],
  [['--config', 'absent.json'], 2, 'ENOENT'],
  [['--config', 'text.json'], 2, "isn't JSON"],
  [['--config', 'wrong.json'], 2, 'wrong.json describes no Azure:\n  vaults[0].sku: '],
  [['--config', 'nothing.json', '--app', 'nowhere', '--identity', 'me'], 2, 'no managed identity of this name'],
  [['--config', 'nothing.json', '--app', 'nowhere'], 1, 'nowhere'],
])('%j ends with exit code %d and says %j', async (commandLine, code, text) => {
  await write('text.json', 'vaults:');
  await write('wrong.json', { vaults: [{ name: 'some-vault', sku: 'basic' }] });
  await write('nothing.json', {});
  const started = start(commandLine);
  expect(await started.exitCode).toBe(code);
  expect(started.output()).toContain(text);
  expect(started.output()).not.toContain(readyText);
});

test('explains its options', async () => {
  const started = start(['--help']);
  expect(await started.exitCode).toBe(0);
  for (const option of ['--config', '--output', '--app', '--identity', '--port'])
    expect(started.output()).toContain(option);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Uses everything by the production clients, as an app of somebody else would. */
const appSource = `
import { app } from '@azure/functions';
import { DefaultAzureCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import { ServiceBusClient } from '@azure/service-bus';

const { VAULT, GREETING, Bus__fullyQualifiedNamespace, npm_config_secret = null } = process.env;
const credential = new DefaultAzureCredential();
const secrets = new SecretClient(VAULT, credential, { disableChallengeResourceVerification: true });
const sender = new ServiceBusClient(Bus__fullyQualifiedNamespace, credential).createSender('work');

app.http('go', {
  methods: ['POST'],
  handler: async () => {
    await secrets.setSecret('word', 'kept');
    await sender.sendMessages({ body: 'it' });
    const { value } = await secrets.getSecret('word');
    return { jsonBody: { greeting: GREETING, secret: value, npm: npm_config_secret } };
  },
});
app.serviceBusQueue('work', { connection: 'Bus', queueName: 'work', handler: (body, context) => context.log('worked on ' + body) });
app.timer('tick', { schedule: '0 0 0 1 1 *', handler: (_timer, context) => context.log('ticked') });
`;
