import fc from 'fast-check';
import { expect } from 'vitest';
import { isAzureFailure } from '../../../src/azure-failure.ts';
import { isKeyfleetError } from '../../../src/errors.ts';
import type { DistributionReference } from '../../../src/messaging/index.ts';
import { openHouse, settle, type House, type World } from '../../support/house.ts';
import type { Fault } from '../../support/interruptions.ts';
import {
  checkAgreement,
  checkAlways,
  keyNames,
  mount,
  providerNames,
  vaultOf,
  writeProviders,
} from '../../support/invariants.ts';
import { createInstances, type Instances } from './instances.ts';

export const instanceCount = 8;
const waiting = { preferAsync: true };

type Request =
  | { kind: 'create' | 'rotate' | 'delete'; key: number }
  | { kind: 'minimum'; key: number; below: number }
  | { kind: 'distribute' | 'remove'; key: number; provider: number }
  | { kind: 'sweep' };

type Event =
  | { kind: 'request'; instance: number; request: Request }
  /** A message, which another instance may come to handle too. */
  | { kind: 'message'; index: number; instance: number; other: number | undefined }
  /** Calls of one instance go on, while all others wait. */
  | { kind: 'run'; instance: number; calls: number; which: number }
  | { kind: 'pass'; seconds: number }
  | { kind: 'kill'; instance: number };

const instance = fc.nat({ max: instanceCount - 1 });
const bit = fc.nat({ max: 1 });
const request: fc.Arbitrary<Request> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('create' as const, 'delete' as const), key: bit }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rotate' as const), key: bit }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('minimum' as const), key: bit, below: fc.nat({ max: 2 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('distribute' as const), key: bit, provider: bit }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: bit, provider: bit }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
);
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('request' as const), instance, request }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('message' as const),
      index: fc.nat({ max: 5 }),
      instance,
      other: fc.option(instance, { nil: undefined }),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      instance,
      calls: fc.integer({ min: 1, max: 25 }),
      which: fc.nat({ max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(1, 4, 14, 26, 61, 130) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), instance }) },
);

/** Calls that fail, by their number at their instance. */
const faults = fc.array(
  fc.record({
    instance,
    call: fc.nat({ max: 60 }),
    how: fc.constantFrom<Fault>('unavailable', 'throttled', 'throttled-briefly', 'failed', 'lost', 'twice'),
  }),
  { maxLength: 16, size: 'max' },
);

/** Where keys are at the beginning. */
const start = fc.record({
  sharedVault: fc.boolean(),
  distributed: fc.array(fc.tuple(bit, bit), { minLength: 1, maxLength: 3 }),
});

async function perform(house: House, request: Request): Promise<unknown> {
  switch (request.kind) {
    case 'create':
      return house.keys.write(keyOf(request), { deletionAllowed: true }, waiting);
    case 'rotate':
      return house.keys.rotate(keyOf(request), waiting);
    case 'delete':
      return house.keys.delete(keyOf(request));
    case 'minimum': {
      const latest = (await house.keys.read(keyOf(request)))?.latestVersion ?? 0;
      const minEnabledVersion = Math.max(0, latest - request.below);
      return house.keys.write(keyOf(request), { minEnabledVersion, deletionAllowed: true }, waiting);
    }
    case 'distribute':
      return house.distributions.write(distributionOf(request), { purpose: ['sign'], protection: 'hsm' }, waiting);
    case 'remove':
      return house.distributions.delete(distributionOf(request), waiting);
    case 'sweep':
      return house.sweep();
  }
}

const keyOf = ({ key }: { key: number }) => ({ mount, key: keyNames[key] ?? 'a' });
const distributionOf = ({ key, provider }: { key: number; provider: number }): DistributionReference => ({
  ...keyOf({ key }),
  provider: providerNames[provider] ?? 'p',
});

async function happen(world: World, instances: Instances, event: Event): Promise<void> {
  switch (event.kind) {
    case 'request':
      return instances.start(event.instance, async (house) => void (await perform(house, event.request)));
    case 'message': {
      const delivery = await world.receive(event.index);
      if (delivery === undefined) return;
      const { reference } = delivery;
      await instances.start(event.instance, async (house) => {
        try {
          await house.reconcile(reference);
        } catch (error) {
          await instances.unhindered(() => delivery.abandon());
          throw error;
        }
        await instances.unhindered(() => delivery.complete());
      });
      // Whose lock was lost, or never was one.
      if (event.other !== undefined) await instances.start(event.other, (house) => house.reconcile(reference));
      return;
    }
    case 'run':
      for (let call = 0; call < event.calls; call++) {
        const candidates = instances.waiting();
        const chosen = candidates[event.instance % Math.max(1, candidates.length)];
        if (chosen === undefined) return;
        await instances.proceed(chosen, event.which);
      }
      return;
    case 'pass':
      world.pass(event.seconds);
      return;
    case 'kill':
      instances.kill(event.instance);
  }
}

/** What histories came to, all together. */
export interface InstancesTally {
  histories: number;
  /** Calls and replies, one at a time. */
  steps: number;
  /** Changes that came too late and were not made. */
  late: number;
}

async function run(
  world: World,
  tally: InstancesTally,
  { sharedVault, distributed }: { sharedVault: boolean; distributed: readonly [key: number, provider: number][] },
  events: readonly Event[],
  failing: readonly { instance: number; call: number; how: Fault }[],
): Promise<void> {
  const vaultOfProvider = (provider: string) => (sharedVault ? 'shared' : vaultOf(provider));
  const calm = openHouse(world);
  await writeProviders(calm, vaultOfProvider);
  await world.reuseExchangeKeys(calm);
  for (const [key, provider] of distributed) {
    await calm.keys.write(keyOf({ key }), { deletionAllowed: true }, waiting);
    await perform(calm, { kind: 'distribute', key, provider });
  }
  const plan = new Map(failing.map(({ instance: at, call, how }) => [`${at} ${call}`, how]));
  const instances = createInstances(world, (at, call) => plan.get(`${at} ${call}`));
  const latest = new Map<string, number>();
  for (const event of events) {
    await happen(world, instances, event);
    await checkAlways(world, calm, latest, vaultOfProvider);
  }
  for (let [next] = instances.waiting(); next !== undefined; [next] = instances.waiting()) {
    await instances.proceed(next, 0);
  }
  await checkAlways(world, calm, latest, vaultOfProvider);
  expect(instances.errors.filter((error) => !isFailure(error))).toEqual([]);
  expect(await settle(world, calm), 'everything settles').toBe(true);
  await checkAgreement(world, calm, vaultOfProvider);
  tally.histories++;
  tally.steps += instances.steps;
  tally.late += instances.late;
}

function isFailure(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isFailure);
  return isKeyfleetError(error) || isAzureFailure(error);
}

/** Instances do in each world that `open` opens what one would do, however their calls interleave. */
export function instancesProperty(open: () => World | Promise<World>, tally: InstancesTally) {
  return fc.asyncProperty(
    start,
    fc.array(event, { minLength: 30, maxLength: 60, size: 'max' }),
    faults,
    async (...history) => run(await open(), tally, ...history),
  );
}
