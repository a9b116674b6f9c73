import fc from 'fast-check';
import type { KeyView } from '../../../src/keymgmt/keys.ts';
import type { KeyState } from '../../../src/state/key-records.ts';
import type { DriftPolicy } from '../../../src/state/providers.ts';
import type { House } from '../../support/house.ts';
import { keyNames, mount, providerNames, type VaultOf } from '../../support/invariants.ts';
import type { KeyReading, Reading, Request } from './model.ts';
import { deed, type Deed } from './people.ts';

/** What happens besides requests. */
export type Event =
  | { kind: 'message'; index: number; twice: boolean }
  | { kind: 'sweep' }
  | { kind: 'restart' }
  | { kind: 'pass'; seconds: number }
  | { kind: 'foreign'; provider: string; key: string; place: ForeignPlace; tagged: boolean }
  /** The pass that looks through a vault, and a look at one copy. */
  | { kind: 'check'; provider: string }
  | { kind: 'look'; provider: string; key: string }
  | Deed;

/** Where somebody else puts a key: under a name that ours is about to take, or under one that is none of ours. */
export type ForeignPlace = 'next-name' | 'other-name';

export type Step = Request | Event;

const key = fc.constantFrom(...keyNames);
const provider = fc.constantFrom(...providerNames);
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 1 });
const given = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

const usualCopy = { purpose: ['sign'], protection: 'hsm' };
const otherCopy = fc.record({
  purpose: fc.constantFrom(['sign', 'verify'], ['verify', 'sign', 'sign'], [], ['fly'], ['sign']),
  protection: fc.constantFrom('hsm', 'software', 'paper'),
});

const request = {
  create: key.map((name): Request => ({ kind: 'write-key', key: name, deletionAllowed: true })),
  write: fc
    .record({
      key,
      type: fc.option(fc.constantFrom('rsa-2048', 'rsa-4096', 'ed25519'), { nil: undefined, freq: 3 }),
      minimum: optional(fc.integer({ min: -1, max: 6 })),
      deletionAllowed: optional(fc.boolean()),
    })
    // Only a key of the size of those in the pool is made; the others are asked for where one exists.
    .map((fields): Request => ({
      kind: 'write-key',
      ...(given(fields) as Omit<Request & { kind: 'write-key' }, 'kind'>),
    })),
  /** Raised and lowered again and again, mostly within what there is. */
  minimum: fc.record({ key, minimum: fc.nat({ max: 4 }) }).map((fields): Request => ({ kind: 'write-key', ...fields })),
  rotate: key.map((name): Request => ({ kind: 'rotate', key: name })),
  deleteKey: key.map((name): Request => ({ kind: 'delete-key', key: name })),
  distribute: fc
    .record({ key, provider, copy: fc.oneof({ weight: 4, arbitrary: fc.constant(usualCopy) }, otherCopy) })
    .map(({ copy, ...where }): Request => ({ kind: 'distribute', ...where, ...copy })),
  remove: fc.record({ kind: fc.constant('remove' as const), key, provider }),
  writeProvider: fc
    .record({ provider, vault: fc.option(fc.constantFrom('own', 'other'), { nil: undefined, freq: 3 }) })
    .map((fields): Request => ({ kind: 'write-provider', ...(given(fields) as { provider: string; vault?: string }) })),
  deleteProvider: provider.map((name): Request => ({ kind: 'delete-provider', provider: name })),
};

const event = {
  message: fc.record({ kind: fc.constant('message' as const), index: fc.nat({ max: 5 }), twice: fc.boolean() }),
  sweep: fc.constant<Step>({ kind: 'sweep' }),
  restart: fc.constant<Step>({ kind: 'restart' }),
  pass: fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 90 }) }),
  foreign: fc.record({
    kind: fc.constant('foreign' as const),
    key,
    provider,
    place: fc.constantFrom<ForeignPlace>('next-name', 'other-name'),
    tagged: fc.boolean(),
  }),
};

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: request.create },
  { weight: 5, arbitrary: request.write },
  { weight: 8, arbitrary: request.minimum },
  { weight: 8, arbitrary: request.rotate },
  { weight: 2, arbitrary: request.deleteKey },
  { weight: 8, arbitrary: request.distribute },
  { weight: 3, arbitrary: request.remove },
  { weight: 1, arbitrary: request.writeProvider },
  { weight: 1, arbitrary: request.deleteProvider },
  { weight: 16, arbitrary: event.message },
  { weight: 2, arbitrary: event.sweep },
  { weight: 2, arbitrary: event.restart },
  { weight: 4, arbitrary: event.pass },
  { weight: 1, arbitrary: event.foreign },
);

/** People at work in the vaults, what is to be done about it, and looks that find it. */
export const stepAmongPeople: fc.Arbitrary<Step> = fc.oneof(
  { weight: 64, arbitrary: step },
  { weight: 24, arbitrary: deed },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('write-provider' as const),
      provider,
      drift: fc.constantFrom<DriftPolicy>('repair', 'repair', 'report', 'ignore'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('check' as const), provider }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('look' as const), provider, key }) },
);

const waiting = { preferAsync: true };

/** The step with the vault's name in the place of `own`. */
export function resolved(taken: Step, vaultOf: VaultOf): Step {
  if (taken.kind !== 'write-provider' || taken.vault !== 'own') return taken;
  return { ...taken, vault: vaultOf(taken.provider) };
}

export async function perform(house: House, asked: Request): Promise<void> {
  switch (asked.kind) {
    case 'write-key': {
      const { type, minimum, deletionAllowed } = asked;
      const fields = given({ type, minEnabledVersion: minimum, deletionAllowed });
      await house.keys.write({ mount, key: asked.key }, fields as object, waiting);
      return;
    }
    case 'rotate':
      await house.keys.rotate({ mount, key: asked.key }, waiting);
      return;
    case 'delete-key':
      return house.keys.delete({ mount, key: asked.key });
    case 'distribute': {
      const { kind: _kind, purpose, protection, ...where } = asked;
      await house.distributions.write({ mount, ...where }, { purpose, protection }, waiting);
      return;
    }
    case 'remove':
      await house.distributions.delete({ mount, key: asked.key, provider: asked.provider }, waiting);
      return;
    case 'write-provider': {
      const { vault, drift } = asked;
      const fields = {
        ...(vault !== undefined && { provider: 'azurekeyvault', keyCollection: vault }),
        credentials: {},
        ...(drift && { drift }),
      };
      return house.providers.write({ mount, provider: asked.provider }, fields);
    }
    case 'delete-provider':
      return house.providers.delete({ mount, provider: asked.provider });
  }
}

/** Reads everything that there is to read, as a caller would. */
export function createReader(house: House): () => Promise<Reading> {
  // Reading public keys takes long, and they depend on nothing but the key's own row.
  const known = new Map<string, { etag: string; view: KeyView }>();

  async function viewOf(name: string, { key: { etag } }: KeyState): Promise<KeyView | undefined> {
    const last = known.get(name);
    if (last?.etag === etag) return last.view;
    const view = await house.keys.read({ mount, key: name });
    if (view !== undefined) known.set(name, { etag, view });
    return view;
  }

  async function readKey(name: string): Promise<KeyReading | undefined> {
    const state = await house.state.keys.read({ mount, key: name });
    const view = state && (await viewOf(name, state));
    if (view === undefined) return undefined;
    const { type, latestVersion, minEnabledVersion, deletionAllowed, versions } = view;
    const holders = await house.keys.listProviders({ mount, key: name });
    const copies = await Promise.all(
      holders.map(async (holder) => {
        const copy = await house.distributions.read({ mount, key: name, provider: holder });
        if (copy === undefined) return [holder, undefined] as const;
        const confirmed = [...copy.versions.keys()];
        // A caller sees it in words alone.
        const removing = state?.distributions.some(
          ({ distribution }) => distribution.provider === holder && distribution.removing,
        );
        const { purpose, protection } = copy;
        return [holder, { purpose: purpose.join(), protection, removing: removing === true, confirmed }] as const;
      }),
    );
    return {
      type,
      latest: latestVersion,
      minimum: minEnabledVersion,
      deletionAllowed,
      enabled: versions.map(({ version }) => version),
      copies: present(copies),
    };
  }

  async function readProvider(name: string): Promise<{ vault: string; keys: string[] } | undefined> {
    const view = await house.providers.read({ mount, provider: name });
    return view && { vault: view.keyCollection, keys: await house.distributions.list({ mount, provider: name }) };
  }

  return async () => ({
    keys: present(await Promise.all(keyNames.map(async (name) => [name, await readKey(name)] as const))),
    keyNames: await house.keys.list(mount),
    providers: present(await Promise.all(providerNames.map(async (name) => [name, await readProvider(name)] as const))),
    providerNames: await house.providers.list(mount),
  });
}

function present<T>(entries: readonly (readonly [string, T | undefined])[]): Record<string, T> {
  return Object.fromEntries(entries.filter((entry): entry is [string, T] => entry[1] !== undefined));
}
