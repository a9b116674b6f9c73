import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { createCertificates, trustInThisProcess } from '../../../src/local/certificates.ts';
import { createFaults } from '../../../src/local/faults.ts';
import { startKeyVault } from '../../../src/local/key-vault/index.ts';
import {
  createModel,
  deletionLag,
  recoveryLag,
  retention,
  type Kind,
  type Model,
  type ModelVersion,
  type Refusal,
} from './support/model.ts';
import { raw, refusalOf, versioned, type RawAnswer } from './support/raw.ts';
import { authorityHost, premiumVault, verify } from './support/start.ts';

let tls: { key: string; cert: string };
beforeAll(async () => {
  const { certificate, privateKey, caCertificate } = await createCertificates();
  trustInThisProcess(caCertificate);
  tls = { key: privateKey, cert: certificate };
});

const kind = fc.constantFrom<Kind>('keys', 'secrets');
/** Few, so that histories meet themselves; in several cases, since case is no difference. */
const name = fc.constantFrom('one', 'ONE', 'One', 'a-2');
const tags = fc.option(fc.constantFrom({}, { a: '1' }, { b: '2', c: '3' }), { nil: undefined });
const index = fc.nat({ max: 2 });
const named = <Type extends string>(type: Type) => fc.record({ type: fc.constant(type), kind, name });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('write' as const), kind, name, enabled: fc.boolean(), tags }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('get' as const), kind, name, index }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('update' as const),
      kind,
      name,
      index,
      enabled: fc.option(fc.boolean(), { nil: undefined }),
      tags,
    }),
  },
  { weight: 3, arbitrary: named('delete') },
  { weight: 1, arbitrary: named('getDeleted') },
  { weight: 3, arbitrary: named('recover') },
  { weight: 2, arbitrary: named('purge') },
  { weight: 1, arbitrary: named('versions') },
  { weight: 1, arbitrary: named('sign') },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('list' as const), kind }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('listDeleted' as const), kind }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      milliseconds: fc.constantFrom(1, 999, recoveryLag - 1, recoveryLag, deletionLag, deletionLag + 1, retention),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface World {
  url: string;
  models: Record<Kind, Model>;
  wait(milliseconds: number): void;
}

const call = (world: World, method: string, path: string, body?: unknown) =>
  raw(world.url, method, versioned(path), body);

const isRefusal = (outcome: object | undefined): outcome is Refusal => outcome !== undefined && 'refused' in outcome;

/** What a bundle or an item must be, under which id. */
const shown = (kind: Kind, id: string, version: ModelVersion) => ({
  ...(kind === 'keys' ? { key: expect.objectContaining({ kid: id }) as object } : { id }),
  attributes: expect.objectContaining({
    enabled: version.enabled,
    created: version.createdSeconds,
    updated: version.updatedSeconds,
  }) as object,
  ...(version.tags && Object.keys(version.tags).length > 0 ? { tags: version.tags } : {}),
});

const idOf = (world: World, kind: Kind, objectName: string, version: ModelVersion) =>
  `${world.url}/${kind}/${objectName}/${version.id}`;

async function perform(world: World, one: Step): Promise<void> {
  if (one.type === 'wait') return world.wait(one.milliseconds);
  if (one.type === 'list' || one.type === 'listDeleted') return compareLists(world, one.type, one.kind);
  const { kind, name } = one;
  const model = world.models[kind];
  const path = `/${kind}/${name}`;
  const deletedPath = `/deleted${kind}/${name}`;
  const expectBundle = (answer: RawAnswer, outcome: ModelVersion | Refusal, rest: object = {}) => {
    if (isRefusal(outcome)) expect(refusalOf(answer)).toEqual(outcome.refused);
    else {
      expect(answer.status).toBe(200);
      const id = idOf(world, kind, model.nameOf(name), outcome);
      expect(answer.body).toEqual({ ...shown(kind, id, outcome), ...rest });
    }
  };
  const newestOf = (outcome: { versions: ModelVersion[] } | Refusal) =>
    isRefusal(outcome) ? outcome : (outcome.versions.at(-1) as ModelVersion);
  switch (one.type) {
    case 'write': {
      const properties = { attributes: { enabled: one.enabled }, ...(one.tags ? { tags: one.tags } : {}) };
      const outcome = model.write(name, { enabled: one.enabled, tags: one.tags, value: 'v' });
      const answer =
        kind === 'keys'
          ? await call(world, 'POST', `${path}/create`, { kty: 'EC', ...properties })
          : await call(world, 'PUT', path, { value: 'v', ...properties });
      if (!isRefusal(outcome)) {
        outcome.id = (answer.body.key?.kid ?? answer.body.id ?? '').split('/').at(-1) ?? '';
        expect(outcome.id).toMatch(/^[0-9a-f]{32}$/);
      }
      return expectBundle(answer, outcome, kind === 'secrets' ? { value: 'v' } : {});
    }
    case 'get': {
      const outcome = model.read(name, one.index);
      const answer = await call(world, 'GET', `${path}/${one.index === 0 ? '' : model.idOf(name, one.index)}`);
      if (kind === 'secrets' && !isRefusal(outcome) && !outcome.enabled) {
        return expect(refusalOf(answer)).toEqual([403, 'Forbidden', 'SecretDisabled']);
      }
      return expectBundle(answer, outcome, kind === 'secrets' ? { value: 'v' } : {});
    }
    case 'update': {
      const outcome = model.read(name, one.index);
      const change = {
        ...(one.enabled === undefined ? {} : { enabled: one.enabled }),
        ...(one.tags ? { tags: one.tags } : {}),
      };
      if (!isRefusal(outcome)) model.update(outcome, change);
      const body = { attributes: { enabled: one.enabled }, tags: one.tags };
      return expectBundle(await call(world, 'PATCH', `${path}/${model.idOf(name, one.index)}`, body), outcome);
    }
    case 'delete':
    case 'getDeleted': {
      const outcome = one.type === 'delete' ? model.remove(name) : model.deleted(name);
      const answer = one.type === 'delete' ? await call(world, 'DELETE', path) : await call(world, 'GET', deletedPath);
      return expectBundle(answer, newestOf(outcome), isRefusal(outcome) ? {} : deletionOf(world, kind, outcome));
    }
    case 'recover': {
      const outcome = model.recover(name);
      return expectBundle(await call(world, 'POST', `${deletedPath}/recover`), newestOf(outcome));
    }
    case 'purge': {
      const refusal = model.purge(name);
      return expect(refusalOf(await call(world, 'DELETE', deletedPath))).toEqual(refusal?.refused ?? [204, '']);
    }
    case 'versions': {
      const versions = model.versionsOf(name);
      const ids = versions.map((version) => idOf(world, kind, model.nameOf(name), version)).sort();
      return expect(idsIn(await call(world, 'GET', `${path}/versions`)).sort()).toEqual(ids);
    }
    case 'sign': {
      const outcome = world.models.keys.read(name, 0);
      const value = Buffer.alloc(32).toString('base64url');
      const answer = await call(world, 'POST', `/keys/${name}//sign`, { alg: 'ES256', value });
      const allowed = isRefusal(outcome) ? outcome.refused : [403, 'Forbidden', 'KeyDisabled'];
      return expect(refusalOf(answer)).toEqual(!isRefusal(outcome) && outcome.enabled ? [200, ''] : allowed);
    }
  }
}

const deletionOf = (world: World, kind: Kind, object: { name: string; deletedAt?: number }) => ({
  recoveryId: `${world.url}/deleted${kind}/${object.name}`,
  deletedDate: Math.floor((object.deletedAt ?? 0) / 1000),
  scheduledPurgeDate: Math.floor(((object.deletedAt ?? 0) + retention) / 1000),
});

const idsIn = (answer: RawAnswer): string[] =>
  (answer.body.value as { kid?: string; id?: string }[]).map((item) => item.kid ?? item.id ?? '');

async function compareLists(world: World, type: 'list' | 'listDeleted', kind: Kind): Promise<void> {
  const model = world.models[kind];
  const answer = await call(world, 'GET', type === 'list' ? `/${kind}` : `/deleted${kind}`);
  const objects = type === 'list' ? model.live() : model.allDeleted();
  expect(answer.body.value).toEqual(
    objects.map((object) => {
      const id = `${world.url}/${kind}/${object.name}`;
      const { key: _key, ...item } = shown(kind, id, object.versions.at(-1) as ModelVersion) as { key?: unknown };
      return {
        ...(kind === 'keys' ? { kid: id } : {}),
        ...item,
        ...(type === 'listDeleted' ? deletionOf(world, kind, object) : {}),
      };
    }),
  );
}

test('any history of keys and secrets agrees with the plain model', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const numRuns = process.env.KEYFLEET_TEST_LONG ? 2000 : 250;
  console.log(`model of the vault: seed ${seed}, ${numRuns} histories`);
  const phases = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (steps) => {
      let time = 1_800_000_000_000;
      const now = () => time;
      const keyVault = await startKeyVault({
        vaults: [premiumVault],
        tls,
        verify,
        authorityHost,
        faults: createFaults(),
        now: () => new Date(time),
        deletionLagMilliseconds: deletionLag,
        recoveryLagMilliseconds: recoveryLag,
      });
      const world: World = {
        url: keyVault.vaults.get(premiumVault.name)?.url ?? '',
        models: { keys: createModel('keys', now), secrets: createModel('secrets', now) },
        wait: (milliseconds) => void (time += milliseconds),
      };
      try {
        for (const one of steps) {
          if ('name' in one) phases.add(`${one.type} ${world.models[one.kind].phaseOf(one.name)}`);
          await perform(world, one);
        }
        for (const kind of ['keys', 'secrets'] as const) {
          await compareLists(world, 'list', kind);
          await compareLists(world, 'listDeleted', kind);
        }
      } finally {
        await keyVault.stop();
      }
    }),
    { seed, numRuns },
  );
  // A history that never leaves the first state would agree with anything.
  for (const type of ['write', 'get', 'update', 'delete', 'getDeleted', 'recover', 'purge', 'versions']) {
    for (const phase of ['absent', 'live', 'deleting', 'deleted']) expect([...phases]).toContain(`${type} ${phase}`);
  }
  for (const phase of ['recovering', 'purging']) expect([...phases].join()).toContain(` ${phase}`);
}, 600_000);
