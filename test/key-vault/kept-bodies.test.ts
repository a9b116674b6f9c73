import { KeyClient } from '@azure/keyvault-keys';
import { expect, it } from 'vitest';
import { keepBodies } from '../../src/key-vault/kept-bodies.ts';

type Sent = { name: string; hasToken: boolean; body: string | null };

/** A vault that challenges whoever has no token, but the first one only after somebody else was let in. */
function createLateVault() {
  const sent: Sent[] = [];
  const somebodyLetIn = Promise.withResolvers<void>();
  return {
    sent,
    httpClient: {
      async sendRequest(request: { url: string; headers: { has(name: string): boolean }; body?: string | null }) {
        const name = new URL(request.url).pathname.split('/')[2] ?? '';
        const hasToken = request.headers.has('authorization');
        sent.push({ name, hasToken, body: request.body ?? null });
        if (!hasToken && sent.length === 1) await somebodyLetIn.promise;
        if (hasToken) somebodyLetIn.resolve();
        const challenge = 'Bearer authorization="https://login.localhost/t", resource="https://vault.localhost"';
        const headers = new Map([['www-authenticate', challenge]]);
        const body = JSON.stringify({ key: { kid: `https://v.vault.localhost/keys/${name}/1` }, attributes: {} });
        return { request, status: hasToken ? 200 : 401, headers: headersOf(headers), bodyAsText: body };
      },
    },
  };
}

const headersOf = (entries: Map<string, string>) => ({
  get: (name: string) => entries.get(name.toLowerCase()),
  has: (name: string) => entries.has(name.toLowerCase()),
  toJSON: () => Object.fromEntries(entries),
  [Symbol.iterator]: () => entries[Symbol.iterator](),
});

async function importTwo(additionalPolicies: ReturnType<typeof keepBodies>): Promise<Sent[]> {
  const vault = createLateVault();
  const client = new KeyClient(
    'https://v.vault.localhost',
    { getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 3_600_000 }) },
    { additionalPolicies, httpClient: vault.httpClient as never, retryOptions: { maxRetries: 0 } },
  );
  await Promise.all(['first', 'second'].map((name) => client.importKey(name, { kty: 'RSA' }, { tags: { name } })));
  return vault.sent.filter(({ hasToken }) => hasToken);
}

const nameIn = ({ body }: Sent) => body && (JSON.parse(body) as { tags: { name: string } }).tags.name;

it('every import has its own body, whoever ends the challenge first', async () => {
  const sent = await importTwo(keepBodies());
  expect(sent.map((one) => [one.name, nameIn(one)])).toEqual([
    ['second', 'second'],
    ['first', 'first'],
  ]);
});

it('the client by itself loses one: once that is mended, what is here can go', async () => {
  const sent = await importTwo([]);
  expect(sent.map((one) => [one.name, nameIn(one)])).toEqual([
    ['second', 'second'],
    ['first', null],
  ]);
});
