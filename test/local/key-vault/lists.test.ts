import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyClient, premiumVault, startVaults } from './support/start.ts';
import { raw, refusalOf, versioned, type RawAnswer } from './support/raw.ts';

const lag = 60_000;
let vaults: Awaited<ReturnType<typeof startVaults>>;
let uri: string;

/** In the order of the service: by upper-cased name. */
const names = [...Array(60).keys()].map((n) => `${n % 2 ? 'name' : 'NAME'}-${String(n).padStart(2, '0')}`);

beforeAll(async () => {
  vaults = await startVaults({
    vaults: [premiumVault, { ...premiumVault, name: 'quiet' }, { ...premiumVault, name: 'emptied' }],
    deletionLagMilliseconds: lag,
    recoveryLagMilliseconds: lag,
  });
  ({ uri } = vaults.addressOf('premium-vault'));
  for (const name of [...names].reverse()) await create(uri, name);
});
afterAll(async () => vaults.stop());

const create = (address: string, name: string, body: object = {}) =>
  raw(address, 'POST', versioned(`/keys/${name}/create`), { kty: 'EC', ...body });
const itemsOf = (answer: RawAnswer) => answer.body.value as { kid: string; attributes: object; tags?: object }[];
const nameOf = (kid: string) => kid.split('/')[4] ?? '';

/** Follows the links as the SDK does: word for word. */
async function follow(address: string, path: string): Promise<RawAnswer[]> {
  const pages = [await raw(address, 'GET', path)];
  for (let link = pages[0]?.body.nextLink; link; link = pages.at(-1)?.body.nextLink) {
    expect(link.startsWith(`${address}/`)).toBe(true);
    pages.push(await raw(address, 'GET', link.slice(address.length)));
  }
  return pages;
}

test('the SDK sees every name once, in the order of upper-cased names', async () => {
  const seen: string[] = [];
  for await (const properties of keyClient(uri).listPropertiesOfKeys()) seen.push(properties.name);
  expect(seen).toEqual(names);
});

test('a page has 25 items and a link with an opaque token that repeats the api-version', async () => {
  const pages = await follow(uri, '/keys?api-version=7.6');
  expect(pages.map((page) => itemsOf(page).length)).toEqual([25, 25, 10]);
  expect(pages[0]?.body.nextLink).toMatch(
    new RegExp(
      `^https://premium-vault\\.vault\\.localhost:${vaults.port}/keys\\?api-version=7\\.6&\\$skiptoken=[\\w-]+$`,
    ),
  );
  const token = Buffer.from(pages[0]?.body.nextLink?.split('$skiptoken=')[1] ?? '', 'base64url').toString();
  expect(Object.keys(JSON.parse(token) as object)).toEqual(['NextMarker', 'TargetLocation']);
  expect(pages.at(-1)?.body.nextLink).toBeNull();
});

test('a link names port 443 where the request named none', async () => {
  const shared = `https://localhost:${vaults.port}`;
  const headers = { host: 'premium-vault.vault.localhost' };
  const answer = await raw(shared, 'GET', versioned('/keys'), undefined, { token: 'admin', headers });
  expect(answer.body.nextLink).toMatch(/^https:\/\/premium-vault\.vault\.localhost:443\/keys\?/);
  expect(itemsOf(answer)[0]?.kid).toMatch(/^https:\/\/premium-vault\.vault\.localhost\/keys\//);
});

test('maxresults bounds the page and is repeated in the link', async () => {
  const pages = await follow(uri, versioned('/keys?maxresults=20'));
  expect(pages.map((page) => itemsOf(page).length)).toEqual([20, 20, 20]);
  expect(pages[0]?.body.nextLink).toMatch(/&maxresults=20$/);
  const sizes: number[] = [];
  for await (const page of keyClient(uri).listPropertiesOfKeys().byPage({ maxPageSize: 7 })) sizes.push(page.length);
  expect(sizes).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 4]);
});

test.each(['0', '26', '-1', 'all', '2.5', ''])('maxresults %j is refused', async (size) => {
  expect(refusalOf(await raw(uri, 'GET', versioned(`/keys?maxresults=${size}`)))).toEqual([400, 'BadParameter']);
});

test.each(['x', 'e30', Buffer.from('null').toString('base64url')])('$skiptoken %j is refused', async (token) => {
  expect(refusalOf(await raw(uri, 'GET', versioned(`/keys?$skiptoken=${token}`)))).toEqual([400, 'BadParameter']);
});

test('an item has the id without version and the attributes and tags of the newest version', async () => {
  const quiet = vaults.addressOf('quiet').uri;
  await create(quiet, 'twice', { tags: { which: 'first' } });
  const newest = await create(quiet, 'twice', { tags: { which: 'second' }, attributes: { enabled: false } });
  await create(quiet, 'untagged');
  const [twice, untagged] = itemsOf(await raw(quiet, 'GET', versioned('/keys')));
  expect(twice).toEqual({
    kid: `${quiet}/keys/twice`,
    attributes: newest.body.attributes,
    tags: { which: 'second' },
  });
  expect(Object.keys(untagged ?? {})).toEqual(['kid', 'attributes']);
});

test('versions are listed with their ids, in no order of time, by pages', async () => {
  const quiet = vaults.addressOf('quiet').uri;
  const made: string[] = [];
  for (let count = 0; count < 30; count++) made.push((await create(quiet, 'many')).body.key?.kid ?? '');
  const pages = await follow(quiet, versioned('/keys/many/versions'));
  const listed = pages.flatMap(itemsOf).map((item) => item.kid);
  expect(pages.map((page) => itemsOf(page).length)).toEqual([25, 5]);
  expect([...listed].sort()).toEqual([...made].sort());
  expect(listed).not.toEqual(made);
  expect(listed).not.toEqual([...made].reverse());
  const sdk: (string | undefined)[] = [];
  for await (const version of keyClient(quiet).listPropertiesOfKeyVersions('many')) sdk.push(version.id);
  expect(sdk).toEqual(listed);
});

test('the versions of a name that is not there are an empty list', async () => {
  const answer = await raw(uri, 'GET', versioned('/keys/absent/versions'));
  expect([answer.status, answer.text]).toEqual([200, '{"value":[],"nextLink":null}']);
});

test('deleted keys are listed with their deletion once it is no longer in progress', async () => {
  const quiet = vaults.addressOf('quiet').uri;
  const deletedNames = async () => {
    const found: [string, string | undefined][] = [];
    for await (const deleted of keyClient(quiet).listDeletedKeys())
      found.push([deleted.name, deleted.properties.recoveryId]);
    return found;
  };
  await create(quiet, 'leaving');
  await raw(quiet, 'DELETE', versioned('/keys/leaving'));
  expect(await deletedNames()).toEqual([]);
  vaults.clock.advance(lag);
  expect(await deletedNames()).toEqual([['leaving', `${quiet}/deletedkeys/leaving`]]);
  const listed = itemsOf(await raw(quiet, 'GET', versioned('/keys'))).map((item) => nameOf(item.kid));
  expect(listed).not.toContain('leaving');
});

test('a page can be empty and have a link: here of keys whose deletion is in progress', async () => {
  const emptied = vaults.addressOf('emptied').uri;
  for (const name of names.slice(0, 30)) await create(emptied, name);
  const settled = names.slice(25, 30);
  for (const name of settled) await raw(emptied, 'DELETE', versioned(`/keys/${name}`));
  vaults.clock.advance(lag);
  for (const name of names.slice(0, 25)) await raw(emptied, 'DELETE', versioned(`/keys/${name}`));
  const pages = await follow(emptied, versioned('/deletedkeys'));
  expect(pages.map((page) => itemsOf(page).length)).toEqual([0, 5]);
  const seen: string[] = [];
  for await (const deleted of keyClient(emptied).listDeletedKeys()) seen.push(deleted.name);
  expect(seen).toEqual(settled);
});

test('a listing goes on from where it was, whatever was deleted or made meanwhile', async () => {
  const first = await raw(uri, 'GET', versioned('/keys'));
  await raw(uri, 'DELETE', versioned(`/keys/${names[25]}`));
  await create(uri, 'A-new-one');
  const link = first.body.nextLink ?? '';
  const second = await raw(uri, 'GET', link.slice(uri.length));
  expect(itemsOf(second).map((item) => nameOf(item.kid))).toEqual(names.slice(26, 51));
});

test('while a list is iterated, a refusal keeps its status and code and loses the inner code', async () => {
  const error: unknown = await keyClient(uri, 'nobody')
    .listPropertiesOfKeys()
    .next()
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ statusCode: 403, code: 'Forbidden' });
  expect((error as { details?: unknown }).details).toBeUndefined();
});
