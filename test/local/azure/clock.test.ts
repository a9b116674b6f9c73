import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SecretClient } from '@azure/keyvault-secrets';
import { ServiceBusClient } from '@azure/service-bus';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startAzure, type Azure } from '../../../src/local/azure/index.ts';

const hour = 3_600_000;
const year = 366 * 24 * hour;
const nodeModules = fileURLToPath(new URL('../../../node_modules', import.meta.url));

let azure: Azure;
let offsetMilliseconds = 0;
let directory: string;
const lines: string[] = [];
let onLine: () => void = () => undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyfleet-clock-'));
  await symlink(nodeModules, join(directory, 'node_modules'));
  const source =
    "import { app } from '@azure/functions';\n" +
    "app.timer('yearly', { schedule: '0 0 0 1 1 *', handler: (_, context) => context.log('it is ' + Date.now()) });\n";
  await writeFile(join(directory, 'package.json'), '{ "type": "module", "main": "main.js" }');
  await writeFile(join(directory, 'host.json'), '{ "version": "2.0" }');
  await writeFile(join(directory, 'main.js'), source);
  azure = await startAzure(
    { managedIdentities: [{ name: 'me' }], vaults: [{ name: 'my-vault' }], queues: [{ name: 'work' }] },
    { now: () => new Date(Date.now() + offsetMilliseconds) },
  );
  await azure.startApp({
    directory,
    log: ({ category, message }) => {
      if (category === 'Function.yearly.User') lines.push(message);
      onLine();
    },
  });
});
afterAll(async () => {
  await azure.stop();
  await rm(directory, { recursive: true });
});

test('one clock moves vaults, queues and timers; tokens, clients and apps keep real time', async () => {
  const secrets = new SecretClient(azure.addresses.vaults['my-vault']?.uri ?? '', azure.credential('me'));
  const client = new ServiceBusClient(azure.addresses.serviceBus, azure.credential('me'));
  await client.createSender('work').sendMessages({ body: 1, timeToLive: hour });
  expect([azure.serviceBus.queue('work').active, lines.length]).toEqual([1, 0]);

  offsetMilliseconds = year;
  const ticked = new Promise<void>((resolve) => (onLine = () => lines.length > 0 && resolve()));
  expect(azure.serviceBus.queue('work').active).toBe(0);
  const { properties } = await secrets.setSecret('word', 'v');
  expect(Math.abs(Number(properties.createdOn) - Date.now() - offsetMilliseconds)).toBeLessThan(60_000);
  await ticked;
  expect(Math.abs(Number(lines[0]?.replace('it is ', '')) - Date.now())).toBeLessThan(60_000);
  const token = await azure.credential('me').getToken('https://vault.localhost/.default');
  expect(Math.abs((decodeJwt(token?.token ?? '').iat ?? 0) * 1000 - Date.now())).toBeLessThan(600_000);
  await client.close();
});
