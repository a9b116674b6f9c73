import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from './api.ts';
import { fates, type Fate, type KeyLedger } from './ledger.ts';
import { distributionFields, type ServiceClient } from './service.ts';

export const operations = ['rotate', 'minimum', 'distribute', 'remove', 'read'] as const;
export type Operation = (typeof operations)[number];
export type Tally = Record<Operation, Record<Fate, number>>;

/** What callers do with the keys, at random, and what became of it. */
export interface Callers {
  /** Goes on until it is stopped. */
  run(): Promise<void>;
  /** No more requests; those that are open are waited for by {@link run}. */
  stop(): void;
  readonly tally: Tally;
  /** Why requests weren't accepted, with how often; numbers in the text are left out. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Replies that can't be true. */
  readonly violations: readonly string[];
}

export interface CallersOptions {
  service: ServiceClient;
  ledgers: readonly KeyLedger[];
  vaults: readonly string[];
  random: () => number;
  /** How many requests are open at once. */
  count: number;
}

/** Of a hundred requests. */
const shares: readonly [Operation, number][] = [
  ['rotate', 70],
  ['minimum', 8],
  ['distribute', 5],
  ['remove', 4],
  ['read', 13],
];
/** A few keys get so much of what happens that requests for one of them overlap. */
const favourites = 4;
const favouriteShare = 0.15;
const pauseAfterNoReplyMilliseconds = 20;

export function createCallers({ service, ledgers, vaults, random, count }: CallersOptions): Callers {
  const none = () => Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>;
  const tally = Object.fromEntries(operations.map((operation) => [operation, none()])) as Tally;
  const reasons = new Map<string, number>();
  const violations = new Set<string>();
  /** Only one request at a time may change these of a key, so that what is wanted can be told. */
  const busy = new Set<KeyLedger>();
  let stopping = false;

  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;

  function chooseOperation(): Operation {
    let left = random() * 100;
    return shares.find(([, share]) => (left -= share) < 0)?.[0] ?? 'read';
  }

  function chooseKey(): KeyLedger {
    return random() < favouriteShare ? pick(ledgers.slice(0, favourites)) : pick(ledgers);
  }

  function note(operation: Operation, { fate, reason }: Reply): void {
    tally[operation][fate]++;
    if (fate === 'accepted') return;
    const text = `${operation}: ${reason.replaceAll(/\d+/g, '#').slice(0, 160)}`;
    reasons.set(text, (reasons.get(text) ?? 0) + 1);
  }

  async function change(operation: Operation, ledger: KeyLedger): Promise<Reply> {
    const isAsync = random() < 0.5;
    switch (operation) {
      case 'rotate': {
        const ended = ledger.rotate();
        const reply = await service.send('POST', `key/${ledger.name}/rotate`, { isAsync });
        ended(reply.fate);
        return reply;
      }
      case 'minimum': {
        const step = random() < 0.7 ? 1 : -1;
        const minimum = Math.max(0, Math.min(ledger.leastLatest, Math.max(...ledger.minimums) + step));
        const ended = ledger.setMinimum(minimum);
        const body = { min_enabled_version: minimum };
        const reply = await service.send('POST', `key/${ledger.name}`, { body, isAsync });
        ended(reply.fate);
        return reply;
      }
      case 'distribute':
      case 'remove': {
        const vault = pick(vaults);
        const path = `kms/${vault}/key/${ledger.name}`;
        const ended = ledger.place(vault, operation === 'distribute');
        const reply = await (operation === 'distribute'
          ? service.send('POST', path, { body: distributionFields, isAsync })
          : service.send('DELETE', path, { isAsync }));
        ended(reply.fate);
        return reply;
      }
      case 'read':
        return read(ledger);
    }
  }

  async function read(ledger: KeyLedger): Promise<Reply> {
    const { name, leastLatest } = ledger;
    const reply = await service.send('GET', `key/${name}`);
    if (reply.status === 404) violations.add(`${name} was gone for a reader`);
    if (reply.fate !== 'accepted') return reply;
    const latest = Number(reply.data['latest_version']);
    if (latest < leastLatest) violations.add(`${name} went down from version ${leastLatest} to ${latest}`);
    if (latest > ledger.mostLatest) violations.add(`${name} has version ${latest}, which nobody asked for`);
    ledger.seen(latest);
    return reply;
  }

  async function call(): Promise<void> {
    while (!stopping) {
      const operation = chooseOperation();
      const ledger = chooseKey();
      const isAlone = operation !== 'rotate' && operation !== 'read';
      if (isAlone && busy.has(ledger)) continue;
      if (isAlone) busy.add(ledger);
      const reply = await change(operation, ledger);
      busy.delete(ledger);
      note(operation, reply);
      if (reply.status === 0) await sleep(pauseAfterNoReplyMilliseconds);
    }
  }

  return {
    async run() {
      await Promise.all(Array.from({ length: count }, call));
    },
    stop: () => void (stopping = true),
    tally,
    reasons,
    get violations() {
      return [...violations];
    },
  };
}
