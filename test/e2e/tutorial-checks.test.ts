import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPlatform, type Platform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { Command } from '../../src/local/tutorial/commands.ts';
import { pathsBelow, type Tools } from '../../src/local/tutorial/context.ts';
import { createHttpTransport } from '../../src/local/tutorial/http-transport.ts';
import { openKeyVault, type KeyVault, type VaultKey } from '../../src/local/tutorial/key-vault.ts';
import { createReport } from '../../src/local/tutorial/report.ts';
import { createService } from '../../src/local/tutorial/service.ts';
import type { Distribution } from '../../src/local/tutorial/shapes.ts';
import { distribute, listDistributed, vaultName, writeProvider } from '../../src/local/tutorial/steps/distribution.ts';
import { enableEngine } from '../../src/local/tutorial/steps/engine.ts';
import { readKeys, writeKeys } from '../../src/local/tutorial/steps/keys.ts';
import { disableOldVersion, enableOldVersion, removeFromVault } from '../../src/local/tutorial/steps/life-cycle.ts';
import { inspectRotation, rotate } from '../../src/local/tutorial/steps/rotation.ts';
import { decryptInVault, encryptInVault, signInVault, type Encrypted } from '../../src/local/tutorial/steps/use.ts';
import { inspectInVault } from '../../src/local/tutorial/steps/vault-contents.ts';
import type { Answer, Transport } from '../../src/local/tutorial/transport.ts';
import { createRsaKeys } from '../support/rsa-keys.ts';

/*
 * Goes through the scenario against a real service and a vault, and at each step, before it is done in earnest, lets the
 * tutorial see something that isn't so: the check that is about it must be the one that ends the step.
 */

type Data = Record<string, unknown>;

/** What is lied about; the rest is what the service and the vault say. */
interface Lie {
  /** Replaces what a command that reads is answered. */
  data?: (data: Data, command: Command) => unknown;
  /** Commands of this verb do nothing. */
  ignored?: Command['verb'];
  keyVault?: Partial<KeyVault>;
}

let platform: Platform;
let transport: Transport;
let keyVault: KeyVault;
const printed: string[] = [];

beforeAll(async () => {
  platform = await startPlatform({ seed: seedRootToken, vaultBehaviour: { generateRsaKey: createRsaKeys() } });
  const host = await platform.startHost();
  transport = createHttpTransport({ api: host.url, token: platform.rootToken });
  const url = platform.vaults.get(vaultName) ?? '';
  keyVault = await openKeyVault({ ...platform.developer, caFile: platform.caFile, url });
});

afterAll(() => platform.stop());

function tools({ data: alter = (data) => data, ignored, keyVault: vaultLies }: Lie = {}): Tools {
  const report = createReport({ print: (line) => printed.push(line) });
  const lying: Transport = {
    ...transport,
    async perform(command): Promise<Answer> {
      if (command.verb === ignored) return { what: 'nothing', seen: 'done', warnings: [] };
      const answer = await transport.perform(command);
      return 'data' in answer ? { ...answer, data: alter(answer.data as Data, command) } : answer;
    },
  };
  return { report, service: createService({ transport: lying, report }), keyVault: { ...keyVault, ...vaultLies } };
}

/** The step must end at the check `what`, and tell what it saw there. */
async function endsAt(what: string, seen: string | RegExp, step: Promise<unknown>): Promise<void> {
  const told = typeof seen === 'string' ? seen : (expect.stringMatching(seen) as string);
  await expect(step).rejects.toMatchObject({ name: 'FalseCheck', what, seen: told });
  const begin = printed.lastIndexOf(`    ✗ ${what}`);
  expect(printed[begin + 1]).toMatch(/^ {6}expected: ./);
  expect(printed[begin + 2]).toMatch(/^ {6}seen: {5}./);
}

const altered = (changes: Data) => ({
  data: (data: Data) => (Array.isArray(data) ? data : { ...data, ...changes }),
});
const seesKey = (changes: Partial<VaultKey>): Lie => ({
  keyVault: {
    async key(name, version) {
      const key = await keyVault.key(name, version);
      return key && { ...key, ...changes };
    },
  },
});

function publicKeyPem(kind: 'rsa' | 'ec', type: 'spki' | 'pkcs1' = 'spki'): string {
  if (kind === 'ec') {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return publicKey.export({ type, format: 'pem' }).toString();
}

describe('every step ends at what is not as it should be', () => {
  const paths = pathsBelow('keymgmt');
  let publicKeyPems: Record<'rsa-1' | 'rsa-2', string>;
  let secondPublicKeyPem: string;
  let first: Distribution;
  let second: Distribution;
  let rotated: Distribution;
  let encrypted: Encrypted;

  test('enabling the engine', async () => {
    await endsAt('initialized', 'false', enableEngine(tools(altered({ initialized: false }))));
    await endsAt('sealed', 'true', enableEngine(tools(altered({ sealed: true }))));
    await endsAt('type of keymgmt/', 'undefined', enableEngine(tools({ ignored: 'enable' })));
    const ofAnotherType = (data: Data) => ('keymgmt/' in data ? { ...data, 'keymgmt/': { type: 'kv' } } : data);
    await endsAt('type of keymgmt/', 'kv', enableEngine(tools({ data: ofAnotherType })));
    // That enabled it.
    expect(await enableEngine(tools())).toBe('keymgmt-2');
  });

  test('writing and reading keys', async () => {
    const nothing = 'answer to vault read -format=json keymgmt/key/rsa-1';
    await endsAt(nothing, 'nothing there', readKeys(tools(), paths));
    await writeKeys(tools(), paths);
    const reads = (changes: Data) => readKeys(tools(altered(changes)), paths);
    const readsPublicKey = (pem: string) => reads({ versions: { 1: { public_key: pem } } });
    await endsAt('name', 'rsa-3', reads({ name: 'rsa-3' }));
    await endsAt('type', 'rsa-4096', reads({ type: 'rsa-4096' }));
    await endsAt('latest_version', '2', reads({ latest_version: 2 }));
    await endsAt(nothing, /latest_version/, reads({ latest_version: '1' }));
    await endsAt('versions', '[]', reads({ versions: {} }));
    const header = 'public_key of version 1 begins';
    await endsAt(header, '-----BEGIN RSA PUBLIC KEY-----', readsPublicKey(publicKeyPem('rsa', 'pkcs1')));
    await endsAt('public_key of version 1 is of type', "[ 'ec', undefined ]", readsPublicKey(publicKeyPem('ec')));
    const broken = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    await endsAt('public_key of version 1', broken, readsPublicKey(broken));
    publicKeyPems = await readKeys(tools(), paths);
  });

  test('the provider', async () => {
    const read = 'answer to vault read -format=json keymgmt/kms/keyvault';
    await endsAt(read, 'nothing there', writeProvider(tools({ ignored: 'write' }), paths));
    await endsAt(read, /Unrecognized key: "credentials"/, writeProvider(tools(altered({ credentials: {} })), paths));
    const another = tools(altered({ key_collection: 'other' }));
    await endsAt('reads back, without the credentials', /'other'/, writeProvider(another, paths));
    await writeProvider(tools(), paths);
  });

  test('distributing', async () => {
    const distributes = (changes: Data) => distribute(tools(altered(changes)), paths, 'rsa-1');
    const read = `answer to vault read -format=json ${paths.distribution('rsa-1')}`;
    await endsAt(read, 'nothing there', distribute(tools({ ignored: 'write' }), paths, 'rsa-1'));
    await endsAt('name in the vault', 'rsa-1', distributes({ name: 'rsa-1' }));
    await endsAt('purpose', 'decrypt,encrypt,sign', distributes({ purpose: 'decrypt,encrypt,sign' }));
    await endsAt('protection', 'software', distributes({ protection: 'software' }));
    await endsAt('distributed versions', '[]', distributes({ versions: {} }));
    first = await distribute(tools(), paths, 'rsa-1');
    await endsAt('keys', "[ 'rsa-1' ]", listDistributed(tools(), paths));
    second = await distribute(tools(), paths, 'rsa-2');
    await listDistributed(tools(), paths);
    const unknown = pathsBelow('elsewhere');
    await endsAt('POST /v1/elsewhere/key/rsa-1', /^404 .*no handler/, writeKeys(tools(), unknown));
  });

  test('looking into the vault', async () => {
    const distribution = { distribution: first, publicKeyPem: publicKeyPems['rsa-1'] };
    const inspects = (lie: Lie) => inspectInVault(tools(lie), 'rsa-1', distribution);
    await endsAt('version', '0123', inspects(seesKey({ version: '0123' })));
    await endsAt('type', 'RSA', inspects(seesKey({ keyType: 'RSA' })));
    const operations = ['decrypt', 'encrypt', 'sign'];
    await endsAt('operations', "[ 'decrypt', 'encrypt', 'sign' ]", inspects(seesKey({ operations })));
    await endsAt('enabled', 'false', inspects(seesKey({ enabled: false })));
    await endsAt(
      'public key, equal to what the service reads',
      'SHA-256 0',
      inspects(seesKey({ publicKey: 'SHA-256 0' })),
    );
    await endsAt(first.name, 'none', inspects({ keyVault: { key: async () => undefined } }));
    await inspects({});
    const key = { kmsName: first.name, version: first.versions['1'] ?? '' };
    await endsAt(
      'encrypted bytes',
      '0',
      encryptInVault(tools({ keyVault: { encrypt: async () => Buffer.of() } }), key),
    );
    encrypted = await encryptInVault(tools(), key);
  });

  test('rotating', async () => {
    const rotates = (lie: Lie) => rotate(tools({ ignored: 'write', ...lie }), paths, publicKeyPems['rsa-1']);
    const pretends = (versions: Data) => rotates(altered({ latest_version: 2, versions }));
    const [old, foreign] = [{ public_key: publicKeyPems['rsa-1'] }, { public_key: publicKeyPem('rsa') }];
    await endsAt('latest_version', '1', rotates({}));
    await endsAt('versions', "[ '1' ]", pretends({ 1: old }));
    await endsAt('public key of version 1, as before', /^SHA-256/, pretends({ 1: foreign, 2: foreign }));
    await endsAt('public key of version 2, a new one', /^SHA-256/, pretends({ 1: old, 2: old }));
    secondPublicKeyPem = await rotate(tools(), paths, publicKeyPems['rsa-1']);
  });

  test('both versions in the vault', async () => {
    const pems = { first: publicKeyPems['rsa-1'], second: secondPublicKeyPem };
    const inspects = (lie: Lie) => inspectRotation(tools(lie), paths, pems);
    const oldVersion = first.versions['1'] ?? '';
    await endsAt('distributed versions', "[ '1' ]", inspects(altered({ versions: first.versions })));
    await endsAt(
      'versions in the vault',
      `[ '${oldVersion}' ]`,
      inspects({ keyVault: { versions: async () => [oldVersion] } }),
    );
    await endsAt('version', oldVersion, inspects({ keyVault: { key: (name) => keyVault.key(name, oldVersion) } }));
    await endsAt('operations', "[ 'sign' ]", inspects(seesKey({ operations: ['sign'] })));
    const swapped = { first: pems.first, second: pems.first };
    const publicKey = 'public key, equal to what the service reads';
    await endsAt(publicKey, /^SHA-256/, inspectRotation(tools(), paths, swapped));
    rotated = await inspects({});
  });

  test('using the keys in the vault', async () => {
    const other = tools({ keyVault: { decrypt: async () => 'something else' } });
    await endsAt('decrypted', 'something else', decryptInVault(other, encrypted));
    const newVersion = { ...encrypted, version: rotated.versions['2'] ?? '' };
    await endsAt('decrypted', /^refused with 400$/, decryptInVault(tools(), newVersion));
    await decryptInVault(tools(), encrypted);

    const key = { kmsName: second.name, version: second.versions['1'] ?? '' };
    const wrongKey = signInVault(tools(), { ...key, publicKeyPem: publicKeyPems['rsa-1'] });
    await endsAt('signature of that text', 'invalid', wrongKey);
    await signInVault(tools(), { ...key, publicKeyPem: publicKeyPems['rsa-2'] });
  });

  test('disabling and enabling the first version', async () => {
    const state = () => ({ distribution: rotated, encrypted });
    const disables = (lie: Lie) => disableOldVersion(tools(lie), paths, state());
    const enables = (lie: Lie) => enableOldVersion(tools(lie), paths, state());
    await endsAt('version 1 is enabled in the vault', 'true', disables({ ignored: 'write' }));
    await endsAt('version 2 is enabled in the vault', 'false', disables(seesKey({ enabled: false })));
    await endsAt(
      'versions',
      "[ '1', '2' ]",
      disables(altered({ versions: { 1: { public_key: '' }, 2: { public_key: '' } } })),
    );
    await endsAt('latest_version', '1', disables(altered({ latest_version: 1 })));
    const obliging = { keyVault: { decrypt: async () => encrypted.text } };
    await endsAt('decrypted', encrypted.text, disables(obliging));
    await disables({});
    await endsAt('version 1 is enabled in the vault', 'false', enables({ ignored: 'write' }));
    await endsAt('decrypted', 'refused with 403', enables({ keyVault: { decrypt: async () => 'refused with 403' } }));
    await enables({});
  });

  test('removing a key from the vault', async () => {
    const removes = (lie: Lie) => removeFromVault(tools(lie), paths, second.name);
    await endsAt(paths.distribution('rsa-2'), /"purpose":"sign"/, removes({ ignored: 'delete' }));
    const stillListed = (data: unknown, { verb }: Command) => (verb === 'list' ? ['rsa-1', 'rsa-2'] : data);
    await endsAt('keys of the provider', "[ 'rsa-1', 'rsa-2' ]", removes({ data: stillListed }));
    const stillThere = { key: () => keyVault.key(first.name) };
    await endsAt('in the vault', /RSA-HSM/, removes({ keyVault: stillThere }));
    await endsAt(
      'recoverable among the deleted keys',
      'false',
      removes({ keyVault: { isDeleted: async () => false } }),
    );
    await endsAt('latest_version of the key that the service keeps', '0', removes(altered({ latest_version: 0 })));
    await removes({});
  });
});
