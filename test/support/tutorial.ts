import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { createCertificates } from '../../src/local/certificates.ts';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { describePlatform, type LocalFile } from '../../src/local/start/local-file.ts';
import { createRsaKeys } from './rsa-keys.ts';
import { startAlteringProxy, type AlteringProxyOptions } from './altering-proxy.ts';

const script = fileURLToPath(new URL('../../src/local/tutorial/main.ts', import.meta.url));
const commandLineClient = fileURLToPath(new URL('./vault-cli.ts', import.meta.url));

export const vaultName = 'learn-keyvault';

export interface TutorialRun {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A running service, and the tutorial as a person runs it: a process of its own. */
export interface TutorialRuns {
  platform: Platform;
  local: LocalFile;
  /** In a folder of the test's own, with nothing on the PATH unless the environment has one. */
  run(commandLine: readonly string[], environment?: Record<string, string>): Promise<TutorialRun>;
  /** @returns the path of a file as `npm start` writes it, with some of it changed */
  localFile(changes?: Partial<LocalFile>): Promise<string>;
  /** @returns a PATH with nothing but a `vault`: a shell script, in which `$client` runs the stand-in for Vault's. */
  programs(shellScript: string): Promise<string>;
  /** Puts a proxy in front of one of the two. `changes`: what the tutorial must be told for it. */
  lie(
    where: 'service' | 'vault',
    alter: AlteringProxyOptions['alter'],
  ): Promise<{ changes: Partial<LocalFile>; stop: () => Promise<void> }>;
  stop(): Promise<void>;
}

export async function prepareTutorial(): Promise<TutorialRuns> {
  const folder = await mkdtemp(join(tmpdir(), 'keyfleet-tutorial-'));
  const platform = await startPlatform({ seed: seedRootToken, vaultBehaviour: { generateRsaKey: createRsaKeys() } });
  const local = describePlatform(platform, (await platform.startHost()).url);
  const proxyCertificates = await createCertificates();
  // The same modules are loaded time and again.
  const compiled = join(folder, 'compiled');
  const ownPath = () => join(folder, crypto.randomUUID());

  return {
    platform,
    local,

    run: (commandLine, environment = {}) =>
      new Promise((resolve) => {
        const env = { PATH: ownPath(), NODE_COMPILE_CACHE: compiled, ...environment };
        const options = { cwd: folder, env };
        execFile(process.execPath, [script, ...commandLine], options, (error, stdout, stderr) => {
          resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
        });
      }),

    async localFile(changes = {}) {
      const path = ownPath();
      await writeFile(path, JSON.stringify({ ...local, ...changes }));
      return path;
    },

    async programs(shellScript) {
      const path = ownPath();
      await mkdir(path);
      // It is started dozens of times: without its types it starts in half the time.
      const { code } = await transform(await readFile(commandLineClient, 'utf8'), { loader: 'ts', format: 'esm' });
      await writeFile(join(path, 'client.mjs'), code);
      const client = `client="${process.execPath} ${join(path, 'client.mjs')}"`;
      await writeFile(join(path, 'vault'), `#!/bin/sh\n${client}\n${shellScript}\n`);
      await chmod(join(path, 'vault'), 0o755);
      return path;
    },

    async lie(where, alter) {
      if (where === 'service') {
        const { url, stop } = await startAlteringProxy({ target: local.api, alter });
        return { changes: { api: url }, stop };
      }
      const { url, stop } = await startAlteringProxy({
        target: local.vaults[vaultName] ?? '',
        tls: { key: proxyCertificates.privateKey, cert: proxyCertificates.certificate },
        alter,
      });
      const caFile = ownPath();
      await writeFile(caFile, (await readFile(local.caFile, 'utf8')) + proxyCertificates.caCertificate);
      return { changes: { caFile, vaults: { ...local.vaults, [vaultName]: url } }, stop };
    },

    async stop() {
      await platform.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** @returns the lines of a step of the output, without their indentation. */
export function linesOf(output: string, title: string): string[] {
  const lines = output.split('\n');
  const begin = lines.findIndex((line) => line.replace(/^ ?\d+\. /, '') === title);
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith('    '));
  return lines.slice(begin + 1, end).map((line) => line.trim());
}
