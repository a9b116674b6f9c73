import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHostProcess } from '../../../src/local/platform/host-process.ts';
import { startPlatform, type Platform } from '../../../src/local/platform/index.ts';
import { seedRootToken } from '../../../src/local/seed.ts';
import { createRsaKeys } from '../../support/rsa-keys.ts';
import { eventually, vaultOf } from '../../support/service.ts';

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ seed: seedRootToken, vaultBehaviour: { generateRsaKey: createRsaKeys() } });
});

afterAll(() => platform.stop());

/** Whether any process of the group is left. */
function isAlive(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

test('a host in a process of its own serves the app, and is killed with its worker', async () => {
  const host = await startHostProcess(platform, { masterKey: 'master', timersBySchedule: false });
  const vault = vaultOf(host, platform.rootToken);
  expect(await vault('GET', 'sys/mounts')).toMatchObject({ status: 200 });
  const functions = await fetch(`${host.url}/admin/functions`, { headers: { 'X-Functions-Key': 'master' } });
  expect(await functions.json()).toContainEqual({ name: 'distribution', trigger: 'serviceBusTrigger' });

  expect([host.isRunning, isAlive(host.processId)]).toEqual([true, true]);
  await host.kill();
  expect(host.isRunning).toBe(false);
  await eventually('the end of the worker', () => !isAlive(host.processId));
  await expect(vault('GET', 'sys/mounts')).rejects.toThrow('fetch failed');
});

test('a host in a process of its own can be stopped, and stays stopped', async () => {
  const host = await startHostProcess(platform);
  await host.stop();
  await host.kill();
  await eventually('the end of the worker', () => !isAlive(host.processId));
});

test('a process that cannot begin is no host', async () => {
  const preload = [`${import.meta.dirname}/no-such-module.ts`];
  await expect(startHostProcess(platform, { preload })).rejects.toThrow('ended before it was ready');
});
