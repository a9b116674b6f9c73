import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exchange, openConnection, requestText, type RawResponse } from '../local/functions-host/support/raw-client.ts';
import { providerFields, startService, type Service } from '../support/service.ts';

/*
 * What the Functions host does behind an app's back, byte for byte: whatever is sent, the answer is Vault's JSON and never
 * the host's empty one, which a client would take for "there is no such secret".
 */

const token = 'X-Vault-Token: root';
let service: Service;

beforeAll(async () => {
  service = await startService({ platform: { vaults: [{ name: 'learn-keyvault', sku: 'premium' }] } });
  await service.vault('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
  await service.vault('POST', 'keymgmt/key/one');
  await service.vault('POST', 'keymgmt/key/two');
  await service.vault('PUT', 'keymgmt/kms/learn', providerFields('learn-keyvault'));
});

afterAll(() => service.stop());

const send = (method: string, target: string, options: { headers?: readonly string[]; body?: string } = {}) =>
  exchange(
    service.host.port,
    requestText(method, target, { ...options, headers: [token, ...(options.headers ?? [])] }),
    method === 'HEAD',
  );

function expectJson({ status, header, body }: RawResponse, expected: number, errors?: unknown): void {
  expect({ status, type: header('content-type'), cache: header('cache-control') }).toEqual({
    status: expected,
    type: 'application/json',
    cache: 'no-store',
  });
  const answer = JSON.parse(body.toString()) as { errors: string[] };
  expect(answer).toEqual({ errors: errors ?? (expect.any(Array) as unknown) });
}

const declared = ['GET', 'HEAD', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HELP', 'SCAN'];
const body = { body: '{}', headers: ['Content-Type: application/merge-patch+json'] };

describe('paths that nobody has', () => {
  const targets = [
    '/',
    '/?list=true',
    '/v1',
    '/v1/',
    '/v1?x=y',
    '/v2/keymgmt/key',
    '/ui',
    '/favicon.ico',
    '/robots933456.txt',
    '/admin/foo',
    '/runtime/x',
    '/api/vault',
    '/V1/sys/health',
    '/vault',
    '/v1/nothing/here',
    '/v1/keymgmt/none',
    '/v1/keymgmt/key/one/',
  ];
  const rows = targets.flatMap((target) => declared.map((verb): [string, string] => [verb, target]));

  test.each(rows)('%s %s is answered in JSON', async (verb, target) => {
    const answer = await send(verb, target, verb === 'PATCH' ? body : {});
    expect(answer.status).toBeGreaterThanOrEqual(200);
    expect(answer.status).toBeLessThan(500);
    expect(answer.header('content-type')).toBe('application/json');
    expect(answer.header('cache-control')).toBe('no-store');
    if (verb === 'HEAD') expect(answer.body.length).toBe(0);
    else if (verb !== 'HELP') expect(JSON.parse(answer.body.toString())).toHaveProperty('errors');
  });

  test('an unknown verb that a client might try is refused as a verb', async () => {
    for (const verb of ['OPTIONS', 'SCAN']) expectJson(await send(verb, '/v1/keymgmt/key/one'), 405, []);
    // The host passes the spelling on; Vault's verbs are in capitals.
    expectJson(await send('list', '/v1/keymgmt/key'), 405, []);
  });
});

describe('LIST and HEAD', () => {
  test.each([
    ['no body', []],
    ['a body of no length', ['Content-Length: 0']],
    ['a type for no body', ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 0']],
  ])('LIST with %s lists', async (_name, headers) => {
    const answer = await send('LIST', '/v1/keymgmt/key', { headers });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ data: { keys: ['one', 'two'] } });
  });

  test.each([
    ['/v1/sys/health', 200],
    ['/v1/sys/seal-status', 200],
    ['/v1/keymgmt/key/one', 200],
    ['/v1/keymgmt/key/none', 404],
    ['/v1/keymgmt/key?list=true', 200],
    ['/v1/nowhere/at/all', 404],
  ])('HEAD %s has the status %i and no body', async (target, status) => {
    const answer = await send('HEAD', target);
    expect({ status: answer.status, type: answer.header('content-type') }).toEqual({
      status,
      type: 'application/json',
    });
  });

  test('are kept in order on one connection, written at once', async () => {
    const connection = await openConnection(service.host.port);
    const targets = [
      ['LIST', '/v1/keymgmt/key'],
      ['HEAD', '/v1/keymgmt/key/one'],
      ['GET', '/v1/keymgmt/key/two'],
      ['LIST', '/v1/keymgmt/kms'],
      ['GET', '/v1/keymgmt/key/none'],
    ] as const;
    connection.write(targets.map(([verb, target]) => requestText(verb, target, { headers: [token] })).join(''));
    const statuses: number[] = [];
    const bodies: string[] = [];
    for (const [verb] of targets) {
      const answer = await connection.response({ isHead: verb === 'HEAD' });
      statuses.push(answer.status);
      bodies.push(answer.body.toString());
    }
    connection.write(requestText('LIST', '/v1/keymgmt/kms/learn/key', { headers: [token] }));
    statuses.push((await connection.response()).status);
    connection.close();
    expect(statuses).toEqual([200, 200, 200, 200, 404, 404]);
    expect(bodies[0]).toContain('"keys":["one","two"]');
    expect(bodies[1]).toBe('');
    expect(bodies[2]).toContain('"name":"two"');
    expect(bodies[3]).toContain('"keys":["learn"]');
    expect(bodies[4]).toBe('{"errors":[]}');
  });
});

describe('bodies', () => {
  test.each(['POST', 'PUT'])('%s in pieces is refused, not taken for no fields', async (verb) => {
    const head = requestText(verb, '/v1/keymgmt/key/one', { headers: [token, 'Transfer-Encoding: chunked'] });
    const answer = await exchange(service.host.port, `${head}1a\r\n{"deletion_allowed":true  }\r\n0\r\n\r\n`);
    expectJson(answer, 411, [expect.stringContaining('Content-Length')]);
    expect((await service.vault('GET', 'keymgmt/key/one')).body.data).toMatchObject({ deletion_allowed: false });
  });

  test('of more than a mebibyte are refused as such, up to the byte', async () => {
    const mebibyte = 1024 * 1024;
    const ofLength = (length: number) => `{"x":"${'x'.repeat(length - 8)}"}`;
    expectJson(await send('PUT', '/v1/keymgmt/key/one', { body: ofLength(mebibyte + 1) }), 413, [
      expect.stringContaining('larger than'),
    ]);
    expect((await send('PUT', '/v1/keymgmt/key/one', { body: ofLength(mebibyte) })).status).toBeLessThan(300);
  });
});

describe('what can be read in two ways is refused:', () => {
  const rows: [name: string, target: string, word: string][] = [
    ['an encoded slash', '/v1/keymgmt%2fkey/one', 'ambiguous path'],
    ['an encoded slash in capitals', '/v1/keymgmt%2Fkey/one', 'ambiguous path'],
    ['a slash encoded twice', '/v1/keymgmt%252fkey/one', 'ambiguous path'],
    ['dots encoded twice', '/v1/keymgmt/key/%252e%252e/key/one', 'ambiguous path'],
    ['dots encoded twice at the start', '/v1/%252e%252e/sys/health', 'ambiguous path'],
    ['bytes that are no text', '/v1/keymgmt/key/a%ff', 'ambiguous path'],
    ['two slashes', '/v1/keymgmt//key/one', 'empty segment'],
    ['two slashes after the version', '/v1//keymgmt/key/one', 'empty segment'],
    ['a line break', '/v1/keymgmt/key/a%0Ab', 'non-printable'],
    ['a field said twice', '/v1/keymgmt/key/one?a=1&a=2', 'sent more than once'],
    ['list said twice', '/v1/keymgmt/key?list=true&list=false', 'sent more than once'],
  ];
  test.each(rows)('%s: %s', async (_name, target, word) => {
    expectJson(await send('GET', target), 400, [expect.stringContaining(word)]);
  });

  test.each([
    ['token', [token, token]],
    ['token of another', [token, 'X-Vault-Token: other']],
  ])('a second %s', async (_name, headers) => {
    const answer = await exchange(service.host.port, requestText('GET', '/v1/keymgmt/key/one', { headers }));
    expectJson(answer, 400, ['header X-Vault-Token was sent more than once']);
  });

  test('dots that the host resolves mean the path that is left, to whoever asks who may see it', async () => {
    const answer = await send('GET', '/v1/sys/%2e%2e/keymgmt/key/one');
    expect(answer.status).toBe(200);
    const stranger = requestText('GET', '/v1/sys/health/%2e%2e/mounts', { headers: ['X-Vault-Token: stranger'] });
    expectJson(await exchange(service.host.port, stranger), 403);
  });
});

describe('identities that the platform claims for a caller', () => {
  const principal = Buffer.from(JSON.stringify({ userId: 'root', userRoles: ['admin', 'root'] })).toString('base64');
  test.each([
    [
      'whole',
      [`x-ms-client-principal: ${principal}`, 'x-ms-client-principal-id: root', 'x-ms-client-principal-name: root'],
    ],
    ['half', [`x-ms-client-principal: ${principal}`]],
    ['as nonsense', ['x-ms-client-principal: %%%']],
  ])('are of no account when forged %s', async (_name, headers) => {
    const without = requestText('GET', '/v1/keymgmt/key/one', { headers });
    expectJson(await exchange(service.host.port, without), 403, ['permission denied']);
    expect((await send('GET', '/v1/keymgmt/key/one', { headers })).status).toBe(200);
  });
});
