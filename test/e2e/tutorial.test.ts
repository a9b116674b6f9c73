import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Exchange } from '../support/altering-proxy.ts';
import { linesOf, prepareTutorial, vaultName, type TutorialRuns } from '../support/tutorial.ts';

/* `npm run tutorial` as a person runs it: a process of its own beside a service that runs already. */

let tutorial: TutorialRuns;

beforeAll(async () => {
  tutorial = await prepareTutorial();
});

afterAll(() => tutorial.stop());

describe('against a service that works', () => {
  test('every check is true, twice in a row', { timeout: 120_000 }, async () => {
    const config = await tutorial.localFile();
    for (const mount of ['keymgmt', 'keymgmt-2']) {
      const { exitCode, stdout, stderr } = await tutorial.run(['--config', config]);
      expect({ exitCode, stderr, mount, end: stdout.split('\n').slice(-3) }).toEqual({
        exitCode: 0,
        stderr: '',
        mount,
        end: [
          expect.stringMatching(/^All \d\d+ checks are true\.$/),
          expect.stringContaining(`${mount}/ stays as it is`),
          '',
        ],
      });
      expect(stdout).not.toContain('✗');

      expect(stdout).toContain(`$ vault write -f ${mount}/key/rsa-1 type=rsa-2048\n`);
      expect(linesOf(stdout, 'Read the key rsa-1')).toContain('✓ latest_version: 1');
      expect(stdout).toContain(
        `$ vault write ${mount}/kms/keyvault/key/rsa-1 purpose=encrypt,decrypt protection=hsm\n`,
      );
      const operations = expect.arrayContaining([
        '✓ type: RSA-HSM',
        "✓ operations: [ 'decrypt', 'encrypt' ]",
      ]) as string[];
      expect(linesOf(stdout, "See rsa-1 in the vault with Azure's own client")).toEqual(operations);
      expect(linesOf(stdout, "See rsa-2 in the vault with Azure's own client")).toContain("✓ operations: [ 'sign' ]");
      expect(linesOf(stdout, 'Confirm the rotation')).toContain('✓ latest_version: 2');
      expect(linesOf(stdout, 'Disable the versions of rsa-1 below 2')).toContain(
        '✓ version 1 is enabled in the vault: false',
      );
      expect(linesOf(stdout, 'Remove rsa-2 from the vault')).toContain('✓ recoverable among the deleted keys: true');
    }
    // What it says that it did, it did: both runs' rsa-1 are there, and both rsa-2 are deleted.
    const operations = tutorial.platform.keyVault.calls
      .filter(({ vault }) => vault === vaultName)
      .map((call) => call.operation);
    expect(operations.filter((operation) => operation === 'import')).toHaveLength(6);
    expect(operations.filter((operation) => operation === 'delete')).toHaveLength(2);
  });

  test(
    '--cli has the command line client do it all, and waits for a vault that needs longer than a reply',
    { timeout: 120_000 },
    async () => {
      const impatient = await tutorial.platform.startHost({ settings: { KEYFLEET_WAIT_SECONDS: '0' } });
      const config = await tutorial.localFile({ api: impatient.url });
      const path = await tutorial.programs('exec $client "$@"');
      // What a user has set for another server must not matter.
      const foreign = { VAULT_NAMESPACE: 'elsewhere', VAULT_FORMAT: 'yaml', VAULT_ADDR: 'http://127.0.0.1:1' };
      const { exitCode, stdout, stderr } = await tutorial.run(['--cli', '--config', config], {
        PATH: path,
        ...foreign,
      });
      expect({ exitCode, stderr, failed: stdout.match(/✗.*/)?.[0] }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/^Vault v1\.21/);
      expect(linesOf(stdout, 'Write the key rsa-1')).toEqual([
        '$ vault write -f keymgmt-3/key/rsa-1 type=rsa-2048',
        '✓ vault says: Success! Data written to: keymgmt-3/key/rsa-1',
      ]);
      const [line, outcome] = linesOf(stdout, 'Rotate rsa-1');
      expect(line).toBe('$ vault write -f keymgmt-3/key/rsa-1/rotate');
      expect(outcome).toMatch(/^✓ vault says: WARNING!/);
      expect(linesOf(stdout, 'List the keys that are distributed to the vault')).toEqual([
        '$ vault list keymgmt-3/kms/keyvault/key',
        '✓ vault says: Keys ---- rsa-1 rsa-2',
        "✓ keys: [ 'rsa-1', 'rsa-2' ]",
      ]);
      expect(stdout).not.toContain('/v1/');
    },
  );
});

describe('against a service or a vault that does not', () => {
  interface Breakage {
    what: string;
    where: 'service' | 'vault';
    alter: (exchange: Exchange) => Exchange['body'];
    title: string;
    check: string;
    /** Patterns. */
    expected: string;
    seen: string;
  }

  const fingerprint = 'SHA-256 [0-9a-f]{64}';
  const versionId = "'[0-9a-f]{32}'";

  test.each<Breakage>([
    {
      what: 'a wrong latest_version',
      where: 'service',
      alter: ({ path, body }) => (path.endsWith('/key/rsa-1') ? withData(body, { latest_version: 7 }) : body),
      title: 'Read the key rsa-1',
      check: 'latest_version',
      expected: '1',
      seen: '7',
    },
    {
      what: "another key's public key",
      where: 'service',
      alter: ({ path, body }) =>
        /\/key\/rsa-2$/.test(path) && 'latest_version' in dataOf(body)
          ? withData(body, { versions: { 1: { public_key: anotherPublicKey() } } })
          : body,
      title: "See rsa-2 in the vault with Azure's own client",
      check: 'public key, equal to what the service reads',
      expected: fingerprint,
      seen: fingerprint,
    },
    {
      what: 'a missing operation',
      where: 'vault',
      alter: ({ path, body }) => (path.startsWith('/keys/rsa-1') ? withKey(body, { key_ops: ['encrypt'] }) : body),
      title: "See rsa-1 in the vault with Azure's own client",
      check: 'operations',
      expected: "\\[ 'decrypt', 'encrypt' ]",
      seen: "\\[ 'encrypt' ]",
    },
    {
      what: 'a second version that is missing',
      where: 'vault',
      alter: ({ path, body }) =>
        path.endsWith('/versions') ? { ...body, value: (body.value as unknown[]).slice(0, 1) } : body,
      title: 'See both versions of rsa-1 in the vault',
      check: 'versions in the vault',
      expected: `\\[ ${versionId}, ${versionId} ]`,
      seen: `\\[ ${versionId} ]`,
    },
  ])('ends at $what', async ({ where, alter, title, check, expected, seen }) => {
    const proxy = await tutorial.lie(where, alter);
    try {
      const { exitCode, stdout } = await tutorial.run(['--config', await tutorial.localFile(proxy.changes)]);
      const lines = linesOf(stdout, title);
      expect({ exitCode, end: lines.slice(-3) }).toEqual({
        exitCode: 1,
        end: [
          `✗ ${check}`,
          expect.stringMatching(new RegExp(`^expected: ${expected}$`)),
          expect.stringMatching(new RegExp(`^seen:     ${seen}$`)),
        ],
      });
      expect(stdout.match(/✗/g)).toHaveLength(1);
      expect(stdout).toMatch(/\nStep \d+ isn't as it should be\. The tutorial ends here\.\n$/);
    } finally {
      await proxy.stop();
    }
  });

  test('ends at a vault that is out of reach', async () => {
    const vaults = { ...tutorial.local.vaults, [vaultName]: 'https://localhost:1' };
    const { exitCode, stdout } = await tutorial.run(['--config', await tutorial.localFile({ vaults })]);
    expect([exitCode, linesOf(stdout, "See rsa-1 in the vault with Azure's own client").slice(1)]).toEqual([
      1,
      [
        "✗ See rsa-1 in the vault with Azure's own client",
        'expected: no error',
        expect.stringMatching(/^seen: .*ECONNREFUSED.*:1/),
      ],
    ]);
  });

  test('ends at a command line client that prints something else', async () => {
    const path = await tutorial.programs('[ "$1" = write ] && { echo Unsuccessful; exit 0; }; exec $client "$@"');
    const { exitCode, stdout } = await tutorial.run(['--cli', '--config', await tutorial.localFile()], { PATH: path });
    expect([exitCode, linesOf(stdout, 'Write the key rsa-1').slice(1)]).toEqual([
      1,
      [
        '✗ vault says',
        expect.stringMatching(/^expected: Success! Data written to: keymgmt-\d+\/key\/rsa-1$/),
        'seen:     Unsuccessful',
      ],
    ]);
  });
});

describe('without what it needs', () => {
  test.each([
    { what: 'an unknown option', commandLine: ['--break'], message: /'--break'.*\nUse --help/ },
    { what: 'an argument too many', commandLine: ['rsa-1'], message: /rsa-1.*\nUse --help/ },
    { what: 'no service', commandLine: [], message: /isn't running: there is no \.keyfleet\/local\.json.*npm start/ },
  ])('$what ends it before it begins', async ({ commandLine, message }) => {
    const { exitCode, stdout, stderr } = await tutorial.run(commandLine);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(message) as string,
    });
  });

  test.each([
    {
      what: 'a service that is gone',
      changes: { api: 'http://127.0.0.1:1' },
      message: /nothing answers there.*npm start/,
    },
    {
      what: 'a file of another kind',
      changes: { api: 'nowhere' },
      message: /isn't what npm start writes:\n.*URL.*\n.*api/,
    },
    { what: 'a platform without the vault', changes: { vaults: {} }, message: /has no vault learn-keyvault/ },
  ])('$what ends it before it begins', async ({ changes, message }) => {
    const { exitCode, stdout, stderr } = await tutorial.run(['--config', await tutorial.localFile(changes)]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(message) as string,
    });
  });

  test('--cli needs a command line client', async () => {
    // A program of the same name isn't one.
    const path = await tutorial.programs('echo "vault 0.3.0: safe passwords for the web"');
    for (const environment of [{ PATH: path }, {}]) {
      const { exitCode, stderr } = await tutorial.run(['--cli', '--config', await tutorial.localFile()], environment);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: expect.stringContaining('Neither vault nor bao') as string,
      });
    }
  });

  test('--help needs nothing', async () => {
    const { exitCode, stdout } = await tutorial.run(['--help']);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('--config FILE')]);
  });
});

function dataOf({ data }: Exchange['body']): Record<string, unknown> {
  return (data ?? {}) as Record<string, unknown>;
}

function withData(body: Exchange['body'], changes: Record<string, unknown>): Exchange['body'] {
  return { ...body, data: { ...dataOf(body), ...changes } };
}

function withKey(body: Exchange['body'], changes: Record<string, unknown>): Exchange['body'] {
  return { ...body, key: { ...(body.key as Record<string, unknown>), ...changes } };
}

function anotherPublicKey(): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}
