import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  providerCredentials,
  providerFields,
  startService,
  type Answer,
  type Service,
  type VaultCall,
} from '../support/service.ts';
import { everything, unchangedBy } from '../support/everything.ts';
import { exchange, requestText } from '../local/functions-host/support/raw-client.ts';

/*
 * Requests that can't be right. Each is refused with a status and words that a person can act on, and afterwards not a
 * row of the state, not an object in a vault is other than before, and no vault was so much as asked.
 */

const longName = 'l'.repeat(117);
let service: Service;
let vault: VaultCall;

beforeAll(async () => {
  service = await startService({
    platform: {
      vaults: [
        { name: 'learn-keyvault', sku: 'premium' },
        { name: 'spare-keyvault', sku: 'premium' },
      ],
    },
  });
  vault = service.vault;
  await given('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  await given('POST', 'keymgmt/key/loose', { deletion_allowed: false });
  await given('POST', 'keymgmt/key/placed', { deletion_allowed: true });
  await given('POST', 'keymgmt/key/under_score');
  await given('POST', 'keymgmt/key/with.dot');
  await given('POST', `keymgmt/key/${longName}`);
  await given('POST', 'keymgmt/kms/full', providerFields('learn-keyvault'));
  await given('POST', 'keymgmt/kms/empty', providerFields('spare-keyvault'));
  await given('POST', 'keymgmt/kms/full/key/placed', { purpose: 'sign,verify', protection: 'hsm' });
});

afterAll(() => service.stop());

async function given(method: string, path: string, body?: unknown): Promise<void> {
  expect(await vault(method, path, body)).toMatchObject({ status: 204 });
}

function expectRefusal({ status, headers, body }: Answer, expected: number, words: readonly string[]): void {
  const [error = '', ...others] = body.errors ?? ['no errors'];
  expect({ status, error, others, fields: Object.keys(body) }).toMatchObject({
    status: expected,
    others: [],
    fields: ['errors'],
  });
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('cache-control')).toBe('no-store');
  for (const word of words) expect(error).toContain(word);
}

const provider = (changes: Record<string, unknown>) => ({ ...providerFields('learn-keyvault'), ...changes });
const at = (keyCollection: string) => provider({ key_collection: keyCollection });
const signingIn = (changes: Record<string, string>) => provider({ credentials: providerCredentials(changes) });
const { tenant_id: tenantId = '', ...withoutTenant } = providerCredentials();
const signing = { purpose: 'sign', protection: 'hsm' };

/** What is wrong, the body that is sent, and what the error must say. */
type Row = [name: string, body: unknown, ...words: string[]];

const refused: [request: string, status: number, rows: Row[]][] = [
  [
    'POST keymgmt/key/new',
    400,
    [
      ['an unknown type', { type: 'rsa-1024' }, 'unsupported key type', 'rsa-2048'],
      ['a type of another provider', { type: 'aes256-gcm96' }, 'unsupported key type'],
      ['an empty type', { type: '' }, 'unsupported key type'],
      ['a type that is a list', { type: ['rsa-2048'] }, 'field "type"'],
      ['replica regions', { replica_regions: 'us-east-1' }, 'replica_regions', 'AWS'],
      ['a minimum that it has not', { min_enabled_version: 2 }, 'min_enabled_version 2', 'latest_version 1'],
    ],
  ],
  [
    'POST keymgmt/key/loose',
    400,
    [
      ['another type', { type: 'rsa-4096' }, 'type of key "loose" is rsa-2048'],
      ['an unknown type', { type: 'dsa' }, 'unsupported key type'],
      ['a minimum above the latest', { min_enabled_version: 2 }, 'min_enabled_version 2', 'latest_version 1'],
      ['a negative minimum', { min_enabled_version: -1 }, 'min_enabled_version is negative'],
      ['a minimum in words', { min_enabled_version: 'two' }, 'field "min_enabled_version"', 'integer'],
      ['a broken minimum', { min_enabled_version: 1.5 }, 'field "min_enabled_version"'],
      ['a minimum that is a list', { min_enabled_version: [1] }, 'field "min_enabled_version"'],
      ['a yes that is neither', { deletion_allowed: 'maybe' }, 'field "deletion_allowed"', 'boolean'],
      ['one good field and a bad one', { deletion_allowed: true, min_enabled_version: 9 }, 'min_enabled_version'],
      ['a body that is not JSON', '{"type":', 'failed to parse JSON input'],
      ['a body that is a list', '[]', 'failed to parse JSON input', 'object'],
      ['a body that is a text', '"rsa-2048"', 'failed to parse JSON input', 'object'],
      ['a body that is a number', '5', 'failed to parse JSON input', 'object'],
      ['a body that is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'UTF-8'],
    ],
  ],
  ['POST keymgmt/key/loose', 413, [['over a mebibyte', { type: 'x'.repeat(1024 * 1024) }, '1048576 bytes']]],
  ['POST keymgmt/key/loose/', 400, [['a slash at the end', {}, "path ending in '/'"]]],
  ['DELETE keymgmt/key/loose', 400, [['not allowed', undefined, 'deletion of key "loose"', 'deletion_allowed=true']]],
  ['DELETE keymgmt/key/placed', 400, [['still distributed', undefined, 'distributed to full', 'DELETE kms/']]],
  ['POST keymgmt/key/missing/rotate', 404, [['not there', undefined, 'there is no key "missing"']]],
  [
    'POST keymgmt/kms/new',
    400,
    [
      ['no provider field', provider({ provider: undefined }), 'provider is missing', 'azurekeyvault'],
      ['another kind', provider({ provider: 'awskms' }), 'unsupported provider "awskms"'],
      ['no key_collection', provider({ key_collection: undefined }), 'key_collection is missing'],
      ['a URL for a name', at('https://v.vault.azure.net'), 'key_collection', 'not its URL'],
      ['a name that is too short', at('ab'), 'key_collection "ab"'],
      ['a name that is too long', at('a'.repeat(25)), 'key_collection'],
      ['a name from a digit', at('1vault'), 'key_collection'],
      ['a name with two hyphens', at('key--vault'), 'key_collection'],
      ['a name to a hyphen', at('vault-'), 'key_collection'],
      ['a name that leads elsewhere', at('evil.example/x'), 'key_collection'],
      ['unknown credentials', signingIn({ resource: 'x', colour: 'y' }), 'unknown keys [resource colour]', 'tenant_id'],
      ['no tenant anywhere', provider({ credentials: withoutTenant }), 'tenant_id', 'AZURE_TENANT_ID'],
      ['no credentials at all', provider({ credentials: undefined }), 'tenant_id'],
      [
        'an unknown environment',
        signingIn({ environment: 'MoonCloud' }),
        'environment "MoonCloud"',
        'AzurePublicCloud',
      ],
      ['credentials without "="', provider({ credentials: 'tenant_id' }), 'field "credentials"', 'name=value'],
      ['nested credentials', provider({ credentials: { tenant_id: { id: tenantId } } }), 'field "credentials"'],
    ],
  ],
  [
    'POST keymgmt/kms/empty',
    400,
    [
      ['another kind', provider({ provider: 'gcpckms' }), 'unsupported provider "gcpckms"'],
      ['another vault', at('learn-keyvault'), 'key_collection of provider "empty" is spare-keyvault'],
      ['unknown credentials', { credentials: { password: 'x' } }, 'unknown keys [password]'],
    ],
  ],
  ['DELETE keymgmt/kms/full', 400, [['not empty', undefined, 'provider "full"', 'placed']]],
  [
    'POST keymgmt/kms/empty/key/loose',
    400,
    [
      ['no purpose', {}, 'purpose is missing', 'unwrap'],
      ['an empty purpose', { purpose: '' }, 'purpose is missing'],
      ['an empty list of purposes', { purpose: [] }, 'purpose is missing'],
      ['an unknown purpose', { purpose: 'encrypt,derive' }, 'unknown purpose "derive"'],
      ['nothing among purposes', { purpose: 'sign,,verify' }, 'unknown purpose ""'],
      ['a purpose in capitals', { purpose: 'Sign' }, 'unknown purpose "Sign"'],
      ["the vault's own word for a purpose", { purpose: 'wrapKey' }, 'unknown purpose "wrapKey"', 'wrap'],
      ['an unknown protection', { purpose: 'sign', protection: 'tpm' }, 'unknown protection "tpm"', 'hsm or software'],
    ],
  ],
  ['POST keymgmt/kms/empty/key/missing', 400, [['a key that is not there', signing, 'there is no key "missing"']]],
  ['POST keymgmt/kms/missing/key/loose', 400, [['no such provider', signing, 'there is no provider "missing"']]],
  [
    'POST keymgmt/kms/full/key/placed',
    400,
    [
      ['another purpose', signing, 'purpose sign,verify', "can't be changed"],
      ['more purposes', { purpose: 'sign,verify,wrap' }, "can't be changed"],
      ['another protection', { purpose: 'sign,verify', protection: 'software' }, 'protection hsm', "can't be changed"],
    ],
  ],
  [
    'POST keymgmt/kms/empty/key/under_score',
    400,
    [['a name', signing, '"under_score"', 'letters, digits and hyphens']],
  ],
  ['POST keymgmt/kms/empty/key/with.dot', 400, [['a name', signing, '"with.dot"', 'letters, digits and hyphens']]],
  [`POST keymgmt/kms/empty/key/${longName}`, 400, [['a name that is too long', signing, '116 characters']]],
  ['POST sys/mounts/keymgmt', 400, [['a mount that exists', { type: 'keymgmt' }, 'already in use at keymgmt/']]],
  ['POST sys/mounts/keymgmt/inner', 400, [['within a mount', { type: 'keymgmt' }, 'in use at keymgmt/']]],
  ['POST sys/mounts/new', 400, [['an engine that there is not', { type: 'pki' }, 'plugin not found in the catalog']]],
  ['DELETE sys/mounts/keymgmt', 400, [['a mount with keys', undefined, 'keymgmt/ still has 5 keys', 'delete them']]],
  ['POST nowhere/key/new', 404, [['no mount', {}, 'no handler for route "nowhere/key/new". route entry not found.']]],
  ['LIST nowhere/key', 404, [['no mount', undefined, 'no handler for route "nowhere/key/".']]],
  ['GET nowhere/key/x', 404, [['no mount', undefined, 'no handler for route "nowhere/key/x".']]],
  ...[
    'keymgmt',
    'keymgmt/config',
    'keymgmt/key/loose/config',
    'keymgmt/key/loose/rotate/now',
    'keymgmt/kms/full/keys',
    'keymgmt/kms/full/key/placed/replicate',
    'keymgmt/key/dot.',
    'keymgmt/key/-dash',
  ].map((path): (typeof refused)[number] => [`POST ${path}`, 404, [['no such path', {}, 'unsupported path']]]),
  ...['POST keymgmt/key', 'DELETE keymgmt/kms', 'GET keymgmt/key/loose/rotate', 'DELETE keymgmt/key/loose/rotate'].map(
    (request): (typeof refused)[number] => [request, 405, [['not here', undefined, 'unsupported operation']]],
  ),
];

describe.each(refused)('%s is refused with %i:', (request, status, rows) => {
  const [method = '', path = ''] = request.split(' ');
  test.each(rows)('%s', async (_name, body, ...words) => {
    const [real, dry] = await unchangedBy(service, async () => [
      await vault(method, path, body),
      path.startsWith('keymgmt') ? await vault(method, `${path}?dry_run=true`, body) : undefined,
    ]);
    expectRefusal(real, status, words);
    if (dry !== undefined) expect({ status: dry.status, text: dry.text }).toEqual({ status, text: real.text });
  });
});

describe('verbs', () => {
  test.each(['OPTIONS', 'SCAN'])('%s is unknown', async (verb) => {
    const { status, body } = await unchangedBy(service, () => vault(verb, 'keymgmt/key/loose'));
    expect({ status, body }).toEqual({ status: 405, body: { errors: [] } });
  });

  test('PATCH needs its content type', async () => {
    const patch = (type: string) =>
      vault('PATCH', 'keymgmt/key/loose', { min_enabled_version: 0 }, { 'Content-Type': type });
    expectRefusal(await unchangedBy(service, () => patch('application/json')), 415, ['application/merge-patch+json']);
    expectRefusal(await unchangedBy(service, () => patch('application/merge-patch+json')), 405, [
      'unsupported operation',
    ]);
  });
});

describe('what is no mistake', () => {
  test('is distributing again with the same values, however they are written', async () => {
    const again = { purpose: ['verify', 'sign', 'verify'], protection: 'hsm' };
    const before = await everything(service);
    expect(await vault('POST', 'keymgmt/kms/full/key/placed', again)).toMatchObject({ status: 204 });
    const after = await everything(service);
    expect(after.contents).toEqual(before.contents);
    expect(after.calls).toBe(before.calls);
  });

  test('is writing what a key has already', async () => {
    const same = { type: 'rsa-2048', min_enabled_version: 1, deletion_allowed: false };
    expect(await unchangedBy(service, () => vault('POST', 'keymgmt/key/loose', same))).toMatchObject({ status: 204 });
  });

  test('are fields that nobody knows, of which one is told', async () => {
    const { status, body } = await unchangedBy(service, () => vault('GET', 'keymgmt/key/loose?colour=red'));
    expect(status).toBe(200);
    expect(body.warnings).toEqual(['Endpoint ignored these unrecognized parameters: [colour]']);
  });
});

test('a body in pieces without a length is refused, not read as no fields', async () => {
  const head = requestText('POST', '/v1/keymgmt/key/loose', {
    headers: ['X-Vault-Token: root', 'Transfer-Encoding: chunked'],
  });
  const before = await everything(service);
  const answer = await exchange(service.host.port, `${head}1b\r\n{"deletion_allowed":"true" }\r\n0\r\n\r\n`);
  expect(answer.status).toBe(411);
  expect(answer.body.toString()).toBe('{"errors":["chunked bodies are not supported: send Content-Length"]}');
  expect(await everything(service)).toEqual(before);
});
