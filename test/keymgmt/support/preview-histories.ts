import fc from 'fast-check';
import { expect } from 'vitest';
import { isKeyfleetError } from '../../../src/errors.ts';
import type { Preview } from '../../../src/keymgmt/previews.ts';
import { handleMessage, openHouse, type House } from '../../support/house.ts';
import { keyNames, mount, providerNames, vaultOf, writeProviders } from '../../support/invariants.ts';
import { observed, type Mood, type ObservedWorld } from '../../support/observed-world.ts';
import type { HeldKey, VaultChange, World } from '../../support/world.ts';

const waiting = { preferAsync: true };

type Request =
  | { kind: 'write-key'; key: string; type?: string; minimum?: number; deletable?: boolean }
  | { kind: 'rotate' | 'delete-key'; key: string }
  | { kind: 'write-provider'; provider: string; vault: string; tenant?: string }
  | { kind: 'delete-provider'; provider: string }
  | { kind: 'distribute'; key: string; provider: string; purpose: string }
  | { kind: 'remove'; key: string; provider: string };

/** What else may have happened before. */
type Event =
  | { kind: 'request'; request: Request }
  /** Messages are handled while one of the vaults is in a mood. */
  | { kind: 'messages'; count: number; provider: string; mood: Mood | undefined }
  | { kind: 'pass'; seconds: number }
  | { kind: 'sweep' };

const often = <T>(usual: T, ...others: T[]) => fc.constantFrom(...Array.from({ length: 5 }, () => usual), ...others);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const kind = <const Kind extends string>(name: Kind) => fc.constant(name);
const key = fc.constantFrom(...keyNames);
/** `r` isn't there unless it is made. */
const provider = fc.constantFrom(...providerNames, ...providerNames, 'r');

const request: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        kind: kind('write-key'),
        key,
        type: maybe(often('rsa-2048', 'rsa-3072', 'dsa')),
        minimum: maybe(often(2, -1, 0, 1, 3, 4, 9)),
        deletable: maybe(fc.boolean()),
      })
      .map(withoutUndefined),
  },
  { weight: 8, arbitrary: fc.record({ kind: kind('rotate'), key }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('delete-key'), key }) },
  {
    weight: 4,
    arbitrary: fc
      .record({ kind: kind('write-provider'), provider, vault: often('', 'elsewhere'), tenant: maybe(fc.uuid()) })
      .map(({ vault, ...rest }) => ({ ...rest, vault: vault === '' ? vaultOf(rest.provider) : vault }))
      .map(withoutUndefined),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('delete-provider'), provider }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: kind('distribute'), key, provider, purpose: often('sign', 'wrap', '') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('remove'), key, provider }) },
);

/** Where most histories begin: every key in every vault. */
const beginning: Event[] = keyNames.flatMap((name): Event[] => [
  { kind: 'request', request: { kind: 'write-key', key: name } },
  ...providerNames.map((to): Event => ({
    kind: 'request',
    request: { kind: 'distribute', key: name, provider: to, purpose: 'sign' },
  })),
]);

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: kind('request'), request }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('messages'),
      count: fc.integer({ min: 1, max: 4 }),
      provider: fc.constantFrom(...providerNames),
      mood: maybe(fc.constantFrom<Mood>('refused', 'forbidden', 'unavailable', 'lost', 'lost', 'dropped', 'dropped')),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('pass'), seconds: fc.integer({ min: 1, max: 90 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('sweep') }) },
);

function withoutUndefined<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as never;
}

/** A request both ways: told and made. */
function both(
  { keys, providers, distributions, previews }: House,
  asked: Request,
): { preview: () => Promise<Preview>; perform: () => Promise<unknown> } {
  const keyReference = 'key' in asked ? { mount, key: asked.key } : { mount, key: '' };
  const providerReference = 'provider' in asked ? { mount, provider: asked.provider } : { mount, provider: '' };
  const reference = { ...keyReference, ...providerReference };
  switch (asked.kind) {
    case 'write-key': {
      const { type, minimum, deletable } = asked;
      const fields = withoutUndefined({ type, minEnabledVersion: minimum, deletionAllowed: deletable });
      return {
        preview: () => previews.keys.write(keyReference, fields),
        perform: () => keys.write(keyReference, fields, waiting),
      };
    }
    case 'rotate':
      return {
        preview: () => previews.keys.rotate(keyReference),
        perform: () => keys.rotate(keyReference, waiting),
      };
    case 'delete-key':
      return {
        preview: () => previews.keys.delete(keyReference),
        perform: () => keys.delete(keyReference),
      };
    case 'write-provider': {
      const { vault, tenant } = asked;
      const credentials = tenant === undefined ? undefined : { tenant_id: tenant };
      const fields = withoutUndefined({ provider: 'azurekeyvault', keyCollection: vault, credentials });
      return {
        preview: () => previews.providers.write(providerReference, fields),
        perform: () => providers.write(providerReference, fields),
      };
    }
    case 'delete-provider':
      return {
        preview: () => previews.providers.delete(providerReference),
        perform: () => providers.delete(providerReference),
      };
    case 'distribute': {
      const fields = { purpose: asked.purpose === '' ? [] : [asked.purpose], protection: 'hsm' };
      return {
        preview: () => previews.distributions.write(reference, fields),
        perform: () => distributions.write(reference, fields, waiting),
      };
    }
    case 'remove':
      return {
        preview: () => previews.distributions.delete(reference),
        perform: () => distributions.delete(reference, waiting),
      };
  }
}

async function refusalOf<T>(work: Promise<T>): Promise<{ result: T } | { code: string; message: string }> {
  try {
    return { result: await work };
  } catch (error) {
    if (isKeyfleetError(error)) return { code: error.code, message: error.message };
    throw error;
  }
}

async function happen(world: ObservedWorld, house: House, past: Event): Promise<void> {
  switch (past.kind) {
    case 'request':
      await refusalOf(both(house, past.request).perform());
      return;
    case 'messages': {
      const { count, provider: at, mood } = past;
      if (mood !== undefined) world.moods.set(vaultOf(at), mood);
      for (let left = count; left > 0; left--) await handleMessage(world, house);
      return world.moods.clear();
    }
    case 'pass':
      return world.pass(past.seconds);
    case 'sweep':
      return house.sweep();
  }
}

/** What Keyfleet wants, without how far that got. */
async function wishes({ state }: House): Promise<unknown> {
  const keys = await Promise.all(
    keyNames.map(async (name) => {
      const found = await state.keys.read({ mount, key: name });
      if (found === undefined) return undefined;
      const { latestVersion, minEnabledVersion, deletionAllowed } = found.key;
      const distributions = found.distributions.map(({ distribution: { provider: to, removing, refusal } }) => ({
        to,
        removing,
        refusal: refusal?.reason,
      }));
      return { latestVersion, minEnabledVersion, deletionAllowed, distributions };
    }),
  );
  const providers = await Promise.all(
    [...providerNames, 'r'].map(async (name) => {
      const found = await state.providers.read({ mount, provider: name });
      return found?.credentials;
    }),
  );
  return { keys, providers };
}

/** What previews came to, all together. */
export interface PreviewTally {
  cases: number;
  refused: number;
  /** That were foretold. */
  steps: number;
  /** That depend on what an earlier try has left in the vault. */
  conditional: number;
}

async function foretell(
  base: World,
  seen: PreviewTally,
  past: readonly Event[],
  asked: Request,
  fromScratch: boolean,
): Promise<void> {
  const world = observed(base);
  const house = openHouse(world);
  await writeProviders(house);
  await world.reuseExchangeKeys(house);
  for (const one of [...(fromScratch ? [] : beginning), ...past]) await happen(world, house, one);

  // From here on nothing happens that nobody asked for; what others began is over.
  await world.emptyQueue();
  world.pass(600);
  const { preview, perform } = both(house, asked);
  const before = await world.dump();
  const told = await refusalOf(preview());
  expect(await world.dump(), 'a preview changes nothing').toEqual(before);
  world.changes.length = 0;

  const wished = await wishes(house);
  const made = await refusalOf(perform());
  seen.cases++;
  if (!('result' in told)) {
    seen.refused++;
    expect(made).toEqual(told);
    return;
  }
  expect(made).toHaveProperty('result');
  const { changes, copies } = told.result;
  expect(JSON.stringify(await wishes(house)) !== JSON.stringify(wished), 'told of changes').toBe(changes.length > 0);

  const expected = new Map<string, string[]>();
  for (const { provider: to, keyCollection, key: of, kmsName, steps } of copies) {
    const distribution = await house.state.keys.readDistribution({ mount, key: of, provider: to });
    const name = kmsName === `${of}-<unix seconds>` ? (distribution?.kmsName ?? '') : kmsName;
    const held = world.contents(keyCollection).get(name) ?? [];
    expected.set(`${keyCollection}/${name}`, foretold(steps, held));
    seen.steps += steps.length;
    seen.conditional += steps.filter(({ conditional }) => conditional).length;
  }
  while (await handleMessage(world, house));
  const ofKeys = world.changes.filter(({ keyName }) => !keyName.startsWith('keyfleet-kek-'));
  const actual = Map.groupBy(ofKeys, ({ vault, keyName }) => `${vault}/${keyName}`);
  for (const copy of new Set([...actual.keys(), ...expected.keys()])) {
    expect(actual.get(copy)?.map(inWords) ?? [], copy).toEqual(expected.get(copy) ?? []);
  }
}

/** What steps come to, given what an earlier try has left in the vault. */
function foretold(steps: Preview['copies'][number]['steps'], held: readonly HeldKey[]): string[] {
  const calls = steps.map((step) => {
    if (step.kind === 'remove') return held.length > 0 ? 'delete' : undefined;
    if (step.kind === 'restore') throw new Error('nobody deleted anything');
    if (step.kind !== 'import') return `${step.enabled ? 'enable' : 'disable'} ${step.kmsVersion}`;
    const found = held.find(({ tags }) => Number(tags['keyfleet-version']) === step.version);
    expect(found === undefined || step.conditional, 'what is there already is imported only conditionally').toBe(true);
    if (found === undefined) return `import ${step.version} ${step.enabled}`;
    return found.enabled === step.enabled ? undefined : { corrected: found.version, enabled: step.enabled };
  });
  const planned = calls.filter((call) => typeof call === 'string');
  // What was found instead of imported is put right in its turn: it is the newest of those that are wrong.
  for (const { corrected, enabled } of calls.filter((call) => typeof call === 'object')) {
    const firstDisabling = planned.findIndex((call) => call.startsWith('disable'));
    if (!enabled || firstDisabling < 0) planned.push(`${enabled ? 'enable' : 'disable'} ${corrected}`);
    else planned.splice(firstDisabling, 0, `enable ${corrected}`);
  }
  return planned;
}

function inWords({ action, version, enabled, tags }: VaultChange): string {
  switch (action) {
    case 'import':
      return `import ${tags?.['keyfleet-version']} ${enabled}`;
    case 'enable':
    case 'disable':
      return `${action} ${version}`;
    default:
      return action;
  }
}

const handle = (count: number, mood?: Mood): Event => ({ kind: 'messages', count, provider: 'p', mood });

/** Rare ones that once were foretold wrongly. */
export const previewExamples: [Event[], Request, boolean][] = [
  [
    [handle(4), { kind: 'request', request: { kind: 'remove', key: 'b', provider: 'p' } }, handle(1, 'refused')],
    { kind: 'remove', key: 'b', provider: 'p' },
    false,
  ],
  [
    [handle(4), { kind: 'request', request: { kind: 'rotate', key: 'b' } }, handle(2, 'lost')],
    { kind: 'write-key', key: 'b', minimum: 2 },
    false,
  ],
];

/** In each world that `open` opens, a preview changes nothing, and foretells what the request then comes to. */
export function previewProperty(open: () => World | Promise<World>, tally: PreviewTally) {
  return fc.asyncProperty(fc.array(event, { maxLength: 20 }), request, often(false, true), async (...history) =>
    foretell(await open(), tally, ...history),
  );
}
