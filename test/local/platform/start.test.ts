import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LocalFile } from '../../../src/local/start/local-file.ts';
import { writeLocalFile } from '../../../src/local/local-file.ts';
import { defaultVaults } from '../../../src/local/platform/vaults.ts';
import { parseStartOptions } from '../../../src/local/start/options.ts';

const script = fileURLToPath(new URL('../../../src/local/start.ts', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyfleet-start-'));
});

afterAll(() => rm(folder, { recursive: true }));

interface Started {
  process: ChildProcess;
  output: () => string;
  exitCode: Promise<number | null>;
}

function start(...commandLine: string[]): Started {
  const process = spawn(globalThis.process.execPath, [script, ...commandLine], {
    cwd: folder,
    env: { PATH: globalThis.process.env.PATH, KEYFLEET_DEV_ROOT_TOKEN: 'token of the test' },
    // A group of its own, so that it can be signalled as a terminal does.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  process.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  process.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { process, output: () => output, exitCode: once(process, 'close').then(([code]) => code as number | null) };
}

async function readLocalFile(): Promise<LocalFile> {
  return JSON.parse(await readFile(join(folder, '.keyfleet/local.json'), 'utf8')) as LocalFile;
}

/** Waits until the platform says that it is ready. */
async function ready({ process, output }: Started): Promise<LocalFile> {
  while (!output().includes('Keyfleet is ready')) {
    if (process.exitCode !== null) throw new Error(output());
    await Promise.race([once(process.stdout ?? process, 'data'), once(process, 'close')]);
  }
  return readLocalFile();
}

describe('npm start', () => {
  it('serves, says where, and ends cleanly when the terminal interrupts it', async () => {
    const started = start('--port', '0', '--vault', 'more-keyvault:premium');
    const local = await ready(started);
    expect((await stat(join(folder, '.keyfleet/local.json'))).mode & 0o777).toBe(0o600);
    const mounts = await fetch(`${local.api}/v1/sys/mounts`, { headers: { 'x-vault-token': local.token } });
    expect([mounts.status, local.token]).toEqual([200, 'token of the test']);
    expect(Object.keys(local.vaults)).toEqual(['learn-keyvault', 'standard-keyvault', 'more-keyvault']);
    expect(await readFile(local.caFile, 'utf8')).toContain('BEGIN CERTIFICATE');
    const identity = await fetch(`${local.identityEndpoint}?api-version=2019-08-01&resource=https://vault.localhost`, {
      headers: { 'x-identity-header': local.identityHeader },
    });
    expect(identity.status).toBe(200);
    for (const address of [local.api, local.token, local.tables, local.serviceBus, ...Object.values(local.vaults)]) {
      expect(started.output()).toContain(address);
    }

    // To the whole group, the app's process included.
    process.kill(-(started.process.pid ?? 0), 'SIGINT');
    expect(await started.exitCode).toBe(0);
    expect(started.output()).not.toMatch(/error/i);
    expect(existsSync(join(folder, '.keyfleet/local.json'))).toBe(false);
    expect(existsSync(local.caFile)).toBe(false);
  });

  it('goes on from its data directory, and ends cleanly when it is told to', async () => {
    const vaultKeys = async ({ vaults, identityEndpoint, identityHeader, caFile }: LocalFile): Promise<string> => {
      const program = `
        import { ManagedIdentityCredential } from '@azure/identity';
        import { KeyClient } from '@azure/keyvault-keys';
        const options = { disableChallengeResourceVerification: true };
        const client = new KeyClient(${JSON.stringify(vaults['learn-keyvault'])}, new ManagedIdentityCredential(), options);
        const found = await client.getKey('kept').catch(() => undefined);
        console.log((found ?? await client.createKey('kept', 'EC')).properties.version);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        cwd: join(script, '../../..'),
        env: { IDENTITY_ENDPOINT: identityEndpoint, IDENTITY_HEADER: identityHeader, NODE_EXTRA_CA_CERTS: caFile },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let version = '';
      child.stdout.on('data', (chunk: Buffer) => (version += chunk.toString()));
      await once(child, 'close');
      return version.trim();
    };
    const versions = [];
    for (let run = 0; run < 2; run++) {
      const started = start('--port', '0', '--data', 'data');
      versions.push(await vaultKeys(await ready(started)));
      started.process.kill('SIGTERM');
      expect(await started.exitCode).toBe(0);
    }
    expect(versions[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(versions[1]).toBe(versions[0]);
  });

  it('says which port is taken', async () => {
    const occupant = createServer();
    // Below the ports that the system gives out: the four before it are nobody's.
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    await new Promise<void>((resolve) => occupant.listen(port, '127.0.0.1', resolve));
    const started = start('--port', String(port - 4));
    expect(await started.exitCode).toBe(1);
    expect(started.output()).toMatch(new RegExp(`^Port ${port} is in use.*--port`));
    occupant.close();
  });

  it.each([
    [['--prot', '1'], "Unknown option '--prot'"],
    [['extra'], 'extra'],
    [['--port', '70000'], "not '70000'"],
    [['--port', 'x'], "not 'x'"],
    [['--vault', 'a:premium'], '3 to 24'],
    [['--vault', 'some-vault'], 'NAME:premium'],
    [['--vault', 'some-vault:basic'], 'NAME:premium'],
  ])('refuses %j', async (commandLine, message) => {
    const started = start(...commandLine);
    expect(await started.exitCode).toBe(2);
    expect(started.output()).toContain(message);
    expect(started.output()).toContain('--help');
  });

  it('explains its options', async () => {
    const started = start('--help');
    expect(await started.exitCode).toBe(0);
    for (const option of ['--port', '--data', '--vault']) expect(started.output()).toContain(option);
  });
});

describe('writeLocalFile', () => {
  const content: LocalFile = {
    api: 'http://127.0.0.1:1',
    token: 'root',
    vaults: {},
    caFile: '',
    identityEndpoint: '',
    identityHeader: '',
    serviceBus: '',
    tables: '',
  };

  it("replaces another platform's file, and removes its own alone", async () => {
    const path = join(folder, 'folder/local.json');
    const removeFirst = await writeLocalFile(path, content);
    await chmod(path, 0o644);
    const removeSecond = await writeLocalFile(path, { ...content, api: 'http://127.0.0.1:2' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);

    await removeFirst();
    expect(existsSync(path), "another platform's file stays").toBe(true);
    await removeSecond();
    expect(existsSync(path)).toBe(false);
  });
});

describe('parseStartOptions', () => {
  it('takes 8200 and the ports after it unless told otherwise', () => {
    expect(parseStartOptions([])).toEqual({
      port: 8200,
      ports: { entra: 8201, identity: 8202, keyVault: 8203, serviceBus: 8204, tables: 8205 },
      dataDirectory: undefined,
      vaults: defaultVaults,
    });
    expect(parseStartOptions(['--port', '0'])).toMatchObject({ port: 0, ports: {} });
  });

  it("changes a default vault's SKU", () => {
    expect(parseStartOptions(['--vault', 'standard-keyvault:premium'])).toMatchObject({
      vaults: [
        { name: 'learn-keyvault', sku: 'premium' },
        { name: 'standard-keyvault', sku: 'premium' },
      ],
    });
  });
});
