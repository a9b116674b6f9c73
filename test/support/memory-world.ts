import { createPublicKey, type KeyObject } from 'node:crypto';
import { AzureFailure } from '../../src/azure-failure.ts';
import type { CheckReference, DistributionReference } from '../../src/messaging/index.ts';
import type { Table } from '../../src/state/table.ts';
import { fixtures } from './fixtures.ts';
import { strikeInProcess } from './interruptions.ts';
import { createMemoryTable } from './memory-table.ts';
import { createMemoryVault, type MemoryVault } from './memory-vault.ts';
import { permitted } from './permitted.ts';
import { permissions, watched, type HeldKey, type Permission, type Witness, type World } from './world.ts';

/** A message that nobody has seen to. */
export interface QueuedMessage {
  reference: DistributionReference;
  stamp: string;
  time: Date;
}

/** A world in memory, whose things can be touched. */
export interface MemoryWorld extends World {
  vault: (name: string) => MemoryVault;
  vaults: ReadonlyMap<string, MemoryVault>;
  queue: QueuedMessage[];
  /** Vaults that are to be looked through, and when. */
  checks: (CheckReference & { time: Date })[];
}

const lockMilliseconds = 60_000;
const duplicatesMilliseconds = 600_000;

const usualStart = Date.parse('2026-01-01T00:00:00Z');

export function createWorld(start = usualStart): MemoryWorld {
  const tables = new Map<string, Table>();
  const vaults = new Map<string, MemoryVault>();
  const stamps = new Map<string, number>();
  const locks = new Map<string, { until: number }>();
  const witnesses = new Set<Witness>();
  const grants = new Map<string, readonly Permission[]>();
  let time = start;
  const now = () => new Date(time);
  const queue: QueuedMessage[] = [];
  const checks: MemoryWorld['checks'] = [];

  function vaultOf(name: string): MemoryVault {
    const vault = vaults.get(name) ?? createMemoryVault(name, fixtures().exchangeKey, now);
    vaults.set(name, vault);
    return vault;
  }

  function isFresh(stamp: string): boolean {
    const taken = stamps.get(stamp);
    if (taken !== undefined && taken > time - duplicatesMilliseconds) return false;
    stamps.set(stamp, time);
    return true;
  }

  /** The earliest first. */
  const visible = () =>
    queue
      .filter(
        ({ reference, time: due }) => due.getTime() <= time && (locks.get(sessionOf(reference))?.until ?? 0) <= time,
      )
      .toSorted((left, right) => left.time.getTime() - right.time.getTime());

  const contents = (name: string) =>
    new Map([...vaultOf(name).held].map(([keyName, versions]) => [keyName, versions.map(toHeldKey)]));

  return {
    vaults,
    vault: vaultOf,
    queue,
    checks,
    now,
    pass: (seconds) => void (time += seconds * 1000),
    openTable(name) {
      const table = tables.get(name) ?? createMemoryTable();
      tables.set(name, table);
      return table;
    },
    openVault: (name) =>
      watched(
        permitted(vaultOf(name), () => grants.get(name) ?? permissions),
        { witnesses, contents: () => contents(name), now },
      ),
    messaging: {
      async wake({ mount, key, provider }, stamp, visibleTime = new Date(time)) {
        if (isFresh(`${mount}|${key}|${provider}|${stamp}`))
          queue.push({ reference: { mount, key, provider }, stamp, time: visibleTime });
      },
      async check({ mount, provider }, stamp, visibleTime = new Date(time)) {
        if (isFresh(`${mount}|${provider}|${stamp}`)) checks.push({ mount, provider, time: visibleTime });
      },
    },
    async receive(which = 0) {
      const candidates =
        typeof which === 'number'
          ? visible()
          : visible().filter(({ reference }) => sessionOf(reference) === sessionOf(which));
      const message = candidates[typeof which === 'number' ? which % Math.max(1, candidates.length) : 0];
      if (message === undefined) return undefined;
      const { reference } = message;
      const lock = { until: time + lockMilliseconds };
      locks.set(sessionOf(reference), lock);
      const holds = () => locks.get(sessionOf(reference)) === lock && lock.until > time;
      return {
        reference,
        async complete() {
          if (!holds()) return;
          locks.delete(sessionOf(reference));
          const position = queue.indexOf(message);
          if (position >= 0) queue.splice(position, 1);
        },
        async abandon() {
          if (holds()) locks.delete(sessionOf(reference));
        },
        async drop() {
          // The lock ends by itself.
        },
        async loseLock() {
          if (holds()) locks.delete(sessionOf(reference));
        },
      };
    },
    visible: () => visible().length,
    messages: () => queue.map((message) => JSON.stringify(message)),
    queued: () => queue.length,
    emptyQueue: async () => void queue.splice(0),
    strike: strikeInProcess,
    vaultNames: () => [...vaults.keys()],
    contents,
    openAsPerson: (name) => ({
      ...vaultOf(name),
      async purgeKey(keyName) {
        if ((await vaultOf(name).getDeletedKey(keyName)) === undefined) {
          throw new AzureFailure('absent', `there is no deleted key ${keyName}`);
        }
        vaultOf(name).purge(keyName);
      },
    }),
    permit: (name, allowed) => void grants.set(name, allowed),
    async putForeign(name, keyName, tags) {
      vaultOf(name).putForeign(keyName, createPublicKey(fixtures().foreignKey), tags);
    },
    reuseExchangeKeys: async () => undefined,
    watch: (witness) => void witnesses.add(witness),
  };
}

const sessionOf = ({ mount, key, provider }: DistributionReference) => `${mount}|${key}|${provider}`;

const encoded = new WeakMap<KeyObject, string>();

function toHeldKey(held: {
  version: string;
  enabled: boolean;
  type: string;
  operations: readonly string[];
  tags: Readonly<Record<string, string>>;
  publicKey: KeyObject;
}): HeldKey {
  const { version, enabled, type, operations, tags } = held;
  const publicKey = encoded.get(held.publicKey) ?? encode(held.publicKey);
  encoded.set(held.publicKey, publicKey);
  return { version, enabled, type, operations, tags, publicKey };
}

export function encode(publicKey: KeyObject): string {
  return publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
}
