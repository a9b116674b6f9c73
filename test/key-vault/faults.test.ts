import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAzureFailure } from '../../src/azure-failure.ts';
import { createTargetVault, type TargetVault } from '../../src/key-vault/target-vault.ts';
import { createCertificates } from '../../src/local/certificates.ts';
import { trust } from '../support/stand-ins.ts';

/** What stands where a vault should be: it answers every request with this. */
interface Answer {
  status: number;
  body: string;
  type?: string;
}

const json = 'application/json';
let answer: Answer | 'reset' | 'half' | 'silence after the first page';
let server: Server;
let vaultUrl: string;
let vault: TargetVault;
let stranger: TargetVault;

const credential = { getToken: async () => ({ token: 'a.b.c', expiresOnTimestamp: Date.now() + 3_600_000 }) };
const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
});

beforeAll(async () => {
  const certificates = await createCertificates();
  const unknown = await createCertificates();
  trust(certificates);
  const listen = async ({ privateKey: key, certificate: cert }: typeof certificates) => {
    const started = createServer({ key, cert }, (request, response) => {
      request.resume();
      if (answer === 'reset') return void request.socket.destroy();
      if (answer === 'silence after the first page') {
        if (request.url?.includes('$skiptoken') === true) return;
        response.writeHead(200, { 'content-type': json });
        const nextLink = `https://${request.headers.host}/keys?api-version=7.6&$skiptoken=next`;
        return void response.end(JSON.stringify({ value: [], nextLink }));
      }
      if (answer === 'half') {
        response.writeHead(200, { 'content-type': json, 'content-length': '1000' });
        response.write('{"key":');
        return void setTimeout(() => request.socket.destroy(), 5);
      }
      response.writeHead(answer.status, { 'content-type': answer.type ?? json });
      response.end(answer.body);
    });
    await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
    return started;
  };
  server = await listen(certificates);
  const other = await listen(unknown);
  const urlOf = (one: Server) => `https://localhost:${(one.address() as AddressInfo).port}`;
  const patience = { readMilliseconds: 10_000, changeMilliseconds: 15_000, retryMilliseconds: 1 };
  vaultUrl = urlOf(server);
  vault = createTargetVault({ name: 'v', url: vaultUrl, credential, patience });
  stranger = createTargetVault({ name: 'v', url: urlOf(other), credential, patience });
  return () => void other.close();
});

afterAll(() => void server.close());

const inTime = () => ({ deadline: new Date(Date.now() + 60_000) });
const options = () => ({ operations: ['sign'], enabled: true, tags: {}, ...inTime() });
const calls: [string, boolean, (vault: TargetVault) => Promise<unknown>][] = [
  ['getKey', false, (one) => one.getKey('a')],
  ['getKeyVersion', false, (one) => one.getKeyVersion('a', '0'.repeat(32))],
  ['getDeletedKey', false, (one) => one.getDeletedKey('a')],
  ['listVersions', false, (one) => one.listVersions('a')],
  ['listKeys', false, (one) => Array.fromAsync(one.listKeys())],
  ['createKeyExchangeKey', true, (one) => one.createKeyExchangeKey('a', {})],
  ['importWrapped', true, (one) => one.importWrapped('a', Buffer.from('x'), { ...options(), hardware: true })],
  ['importPlain', true, (one) => one.importPlain('a', privateKey, options())],
  ['updateVersion', true, (one) => one.updateVersion('a', '0'.repeat(32), options())],
  ['deleteKey', true, (one) => one.deleteKey('a', inTime())],
];

const otherKey = JSON.stringify({
  key: {
    kid: `https://v.vault.azure.net/keys/b/${'0'.repeat(32)}`,
    ...createPublicKey(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' }),
    key_ops: ['sign'],
  },
  attributes: { enabled: true },
});
const html = '<html><body>Not what you asked for</body></html>';
const unsure: [string, typeof answer][] = [
  ['500', { status: 500, body: '{"error":{"code":"InternalError","message":"no"}}' }],
  ['503 with HTML', { status: 503, body: html, type: 'text/html' }],
  ['404 with HTML', { status: 404, body: html, type: 'text/html' }],
  ['404 without a body', { status: 404, body: '' }],
  ['404 with JSON of another shape', { status: 404, body: '{"message":"no route"}' }],
  [
    '404 in the shape of another service',
    { status: 404, body: '{"error":{"code":"ResourceNotFound","message":"no"}}' },
  ],
  ['400 with HTML', { status: 400, body: html, type: 'text/html' }],
  ['403 with HTML', { status: 403, body: html, type: 'text/html' }],
  ['409 without a body', { status: 409, body: '' }],
  ['a reset connection', 'reset'],
  ['half a body', 'half'],
  ['200 with HTML', { status: 200, body: html, type: 'text/html' }],
  ['200 with half of the JSON', { status: 200, body: '{"key":{"kid":"https' }],
  ['200 with JSON of another shape', { status: 200, body: '{"hello":"world"}' }],
  [
    '200 with a key that lacks its public part',
    { status: 200, body: '{"key":{"kid":"https://v/keys/a/1"},"attributes":{}}' },
  ],
  ['200 with a key of another name', { status: 200, body: otherKey }],
  ['200 with nothing', { status: 200, body: '' }],
];

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    return `success: ${JSON.stringify(await call)}`;
  } catch (error) {
    return isAzureFailure(error) ? error.kind : `not a failure of Azure: ${String(error)}`;
  }
}

const counts = { cases: 0, wrong: 0 };

describe.each(unsure)('%s', (_name, given) => {
  it.each(calls)('of %s is never taken for a result, nor for absence', async (_method, changes, call) => {
    answer = given;
    const outcome = await outcomeOf(call(vault));
    const expected = changes ? 'unknown-outcome' : 'unavailable';
    counts.cases++;
    if (outcome !== expected) counts.wrong++;
    expect(outcome).toBe(expected);
  });
});

afterAll(() => console.log(`${counts.cases} faults, ${counts.wrong} wrong`));

it.each([
  ['keys', (one: TargetVault) => Array.fromAsync(one.listKeys())],
  ['versions', (one: TargetVault) => one.listVersions('a')],
])('a list of %s whose second page never comes has an end', async (_what, list) => {
  answer = 'silence after the first page';
  const patience = { readMilliseconds: 200, changeMilliseconds: 200, retryMilliseconds: 1 };
  expect(await outcomeOf(list(createTargetVault({ name: 'v', url: vaultUrl, credential, patience })))).toBe(
    'unavailable',
  );
});

describe('a certificate that nobody vouches for', () => {
  it.each(calls)('keeps %s from being sent', async (_method, changes, call) => {
    const outcome = await outcomeOf(call(stranger));
    // Nothing is sent before the certificate is known; where that can't be told, doubt is safe.
    expect(changes ? ['unavailable', 'unknown-outcome'] : ['unavailable']).toContain(outcome);
  });
});
