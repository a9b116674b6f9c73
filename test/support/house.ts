import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createKeyExchangeKeys } from '../../src/key-vault/key-exchange-key.ts';
import { createAgreement } from '../../src/keymgmt/agreement.ts';
import { createKeyManagement, type KeyManagement } from '../../src/keymgmt/index.ts';
import type { KeyPair } from '../../src/keymgmt/key-generation.ts';
import type { DistributionReference } from '../../src/messaging/index.ts';
import { createVersionImporter } from '../../src/reconcile/import-version.ts';
import { createReconciler } from '../../src/reconcile/reconciler.ts';
import { createStepRunner } from '../../src/reconcile/steps.ts';
import { createSweep } from '../../src/reconcile/sweep.ts';
import type { Targets } from '../../src/reconcile/target.ts';
import { createState, type State } from '../../src/state/index.ts';
import type { Table } from '../../src/state/table.ts';
import { createInterruptions, type Interruption, type Interruptions } from './interruptions.ts';
import { createMemoryTable } from './memory-table.ts';
import { createMemoryVault, type MemoryVault } from './memory-vault.ts';

/** What outlives a process: tables, vaults, queue, and the clock on the wall. */
export interface World {
  vault: (name: string) => MemoryVault;
  vaults: ReadonlyMap<string, MemoryVault>;
  /** Messages that nobody has seen to. */
  queue: { reference: DistributionReference; stamp: string; time: Date }[];
  now: () => Date;
  pass(seconds: number): void;
  openTable: (name: string) => Table;
}

export function createWorld(): World {
  const tables = new Map<string, Table>();
  const vaults = new Map<string, MemoryVault>();
  const stamps = new Set<string>();
  let time = Date.parse('2026-01-01T00:00:00Z');
  const queue: World['queue'] = [];
  const push = queue.push.bind(queue);
  // Duplicate detection: the same stamp is taken once.
  queue.push = (...messages) => push(...messages.filter(({ stamp }) => !stamps.has(stamp) && stamps.add(stamp)));
  return {
    vaults,
    vault(name) {
      const vault = vaults.get(name) ?? createMemoryVault(name, fixtures().exchangeKey);
      vaults.set(name, vault);
      return vault;
    },
    queue,
    now: () => new Date(time),
    pass: (seconds) => void (time += seconds * 1000),
    openTable(name) {
      const table = tables.get(name) ?? createMemoryTable();
      tables.set(name, table);
      return table;
    },
  };
}

/** One process of the service over a world. */
export interface House extends KeyManagement {
  state: State;
  interruptions: Interruptions;
  reconcile: (reference: DistributionReference) => Promise<void>;
  sweep: () => Promise<void>;
}

/** @param interrupt decides about each call to a table, a vault or the queue */
export function openHouse(
  world: World,
  interrupt: (call: number, remote: boolean) => Interruption | undefined = () => undefined,
): House {
  const { now } = world;
  const interruptions = createInterruptions(interrupt);
  const state = createState({
    openTable: (name) => interruptions.wrap(world.openTable(name), false),
    rootKey: {
      wrap: async (plaintext) => ({ wrapped: Uint8Array.from(plaintext), rootKeyId: 'root' }),
      unwrap: async (wrapped) => Uint8Array.from(wrapped),
    },
    now,
  });
  const opened = new Map<string, MemoryVault>();
  const targets: Targets = {
    keyExchangeKeys: createKeyExchangeKeys({ now }),
    open({ keyCollection }) {
      const vault = opened.get(keyCollection) ?? interruptions.wrap(world.vault(keyCollection), true);
      opened.set(keyCollection, vault);
      return vault;
    },
  };
  const messaging = interruptions.wrap(
    {
      async wake({ mount, key, provider }: DistributionReference, stamp: string, time: Date = now()) {
        world.queue.push({ reference: { mount, key, provider }, stamp, time });
      },
    },
    false,
  );
  const importer = createVersionImporter({ ...state, targets, now });
  const steps = createStepRunner({ ...state, targets, importer, now });
  const reconciler = createReconciler({ ...state, messaging, steps, now });
  const visits = { ...createAgreement(state), secret: async () => undefined };
  return {
    ...createKeyManagement({ state, messaging, targets, generateKeyPair: pooledKeyPair, waitSeconds: 0, now }),
    state,
    interruptions,
    reconcile: (reference) => reconciler.reconcile(reference),
    sweep: createSweep({ intents: state.intents, messaging, visits, now }),
  };
}

/** Handles messages and lets time pass until nothing is left to do. @returns whether that point was reached */
export async function settle(world: World, house: House, cycles = 40): Promise<boolean> {
  for (let cycle = 0; cycle < cycles; cycle++) {
    for (let message = nextMessage(world); message !== undefined; message = nextMessage(world)) {
      await house.reconcile(message);
    }
    const open = await house.state.intents.list();
    if (open.length === 0 && world.queue.length === 0) return true;
    world.pass(120);
    await house.sweep();
  }
  return false;
}

/** Takes the next message that may be seen. */
export function nextMessage(world: World, index = 0): DistributionReference | undefined {
  const visible = world.queue.filter(({ time }) => time <= world.now());
  const message = visible[index % Math.max(1, visible.length)];
  if (message === undefined) return undefined;
  world.queue.splice(world.queue.indexOf(message), 1);
  return message.reference;
}

let pool: { pairs: { publicKey: Buffer; privateKey: Buffer }[]; exchangeKey: KeyObject } | undefined;
let drawn = 0;

/** Key pairs take long to make and needn't be new: the same few go round. */
function fixtures() {
  pool ??= {
    pairs: Array.from({ length: 12 }, () =>
      generateKeyPairSync('rsa', {
        modulusLength: 2048,
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      }),
    ),
    exchangeKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  };
  return pool;
}

async function pooledKeyPair(): Promise<KeyPair> {
  const { pairs } = fixtures();
  const pair = pairs[drawn++ % pairs.length];
  if (pair === undefined) throw new Error('the pool is empty');
  return { publicKey: Buffer.from(pair.publicKey), privateKey: Buffer.from(pair.privateKey) };
}
