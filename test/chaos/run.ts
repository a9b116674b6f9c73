import { setTimeout as sleep } from 'node:timers/promises';
import { createFaults, seededRandom } from '../../src/local/faults.ts';
import { startPlatform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { distributionQueue } from '../../src/messaging/index.ts';
import { createRsaKeys } from '../support/rsa-keys.ts';
import { openState } from '../../src/local/open-state.ts';
import { mountUuid } from '../support/service.ts';
import { createAgreement } from './agreement.ts';
import { createApi } from './api.ts';
import { createCallers, type Tally } from './callers.ts';
import { createSharedClock } from './clock.ts';
import { converge } from './convergence.ts';
import { putForeignKeys } from './foreign.ts';
import { startHosts } from './hosts.ts';
import { createPool } from './key-pairs.ts';
import { createKeyLedger } from './ledger.ts';
import type { ChaosOptions } from './options.ts';
import { createServiceClient, distributionFields, eachAtMost, mountPath, setUp } from './service.ts';
import { createTimers } from './timers.ts';
import { watchVaults } from './vault-watch.ts';

/** What a run came to. */
export interface ChaosResult {
  kills: number;
  tally: Tally;
  reasons: ReadonlyMap<string, number>;
  /** That came to be in the vaults, those of the start included. */
  versions: number;
  /** To the vaults that keys are distributed to, from the first kill on. */
  calls: Readonly<Record<string, number>>;
  /** From the last kill and the last request's end until all agreed, or until it was given up. */
  convergenceSeconds: number;
  /** Of the timers, during that. */
  cycles: number;
  /** What hosts logged as warning or worse, with how often; numbers in the text are left out. */
  log: ReadonlyMap<string, number>;
  violations: readonly string[];
}

export interface RunOptions extends ChaosOptions {
  /** After the last kill the clock is put forward to the next timer cycle whenever nothing is left to do before. */
  putsClockForward: boolean;
  progress: (line: string) => void;
}

const callersAtOnce = 8;
const mostCycles = 3;
/** More than the callers manage. */
const rotationsPerSecond = 15;
const masterKey = 'master-key-of-the-chaos';

/** Lets hosts work and die, then waits for agreement and looks at what there is. */
export async function runChaos(options: RunOptions): Promise<ChaosResult> {
  const { seed, durationSeconds, killEverySeconds, putsClockForward, progress } = options;
  await using stack = new AsyncDisposableStack();
  const randomOf = (stream: number) => seededRandom(seed + stream * 7919);
  const vaults = Array.from({ length: options.vaults }, (_, index) => `vault-${index + 1}`);
  const ledgers = Array.from({ length: options.keys }, (_, index) => createKeyLedger(`key-${index + 1}`, 1));
  const log = new Map<string, number>();

  const clock = stack.use(await createSharedClock());
  const platform = await startPlatform({
    vaults: vaults.map((name) => ({ name, sku: 'premium' })),
    seed: seedRootToken,
    vaultBehaviour: { generateRsaKey: createRsaKeys() },
    faults: createFaults(randomOf(0)),
    now: clock.now,
    brokerNow: clock.now,
  });
  stack.defer(() => platform.stop());
  const foreign = await putForeignKeys(platform, vaults);
  const state = openState(platform);
  const pool = createPool(options.keys + options.durationSeconds * rotationsPerSecond);
  await pool.fill(state.keyPairs);
  progress('key pairs made');
  const hosts = await startHosts({
    platform,
    settings: pool.settings,
    count: options.hosts,
    masterKey,
    clock,
    log: ({ category, level, message }) => {
      const line = `${level} ${category}: ${message.replaceAll(/\b[0-9a-f-]{8,}\b|\d+/g, '#').slice(0, 300)}`;
      log.set(line, (log.get(line) ?? 0) + 1);
    },
  });
  stack.defer(() => hosts.stop());
  progress(`${options.hosts} hosts run`);

  const api = createApi(platform.rootToken);
  const service = createServiceClient(api, hosts, randomOf(1));
  await setUp({ api, hosts, random: randomOf(2), vaults, keys: ledgers.map(({ name }) => name) });
  progress(`${ledgers.length} keys made`);
  const mount = await mountUuid(state, `${mountPath}/`);
  const watch = watchVaults({
    keyVault: platform.keyVault,
    vaults,
    mount,
    ledgers: new Map(ledgers.map((ledger) => [ledger.name, ledger])),
  });
  const agreement = createAgreement({
    service,
    keyVault: platform.keyVault,
    watch,
    vaults,
    mount,
    foreign: foreign.names,
  });
  await distributeAll();
  progress(`${ledgers.length * vaults.length} copies distributed`);

  const callsBefore = platform.keyVault.calls.length;
  const queue = platform.broker.queue(distributionQueue);
  const isIdle = () => queue.active === 0;
  const random = randomOf(3);
  const timers = createTimers({ hosts, masterKey, random, clock, ...(putsClockForward && { isIdle }) });
  const callers = createCallers({ service, ledgers, vaults, random: randomOf(4), count: callersAtOnce });
  const ticking = new AbortController();
  const ticks = putsClockForward ? undefined : timers.run(ticking.signal);
  const calling = callers.run();
  const killing = randomOf(5);
  const end = performance.now() + durationSeconds * 1000;
  while (performance.now() < end) {
    await sleep(killEverySeconds * 1000);
    await hosts.killOne(killing);
    if (hosts.kills % 10 === 0) progress(`${hosts.kills} kills, ${watch.versions} versions`);
  }
  callers.stop();
  await calling;
  const quietTime = performance.now();
  const cyclesBefore = timers.cycles;
  progress(`quiet after ${hosts.kills} kills`);
  const lastTicks = ticks ?? timers.run(ticking.signal);
  const isOver = () => timers.cycles > cyclesBefore + mostCycles;
  const open = await converge({ agreement, intents: state.intents, ledgers, isOver });
  const convergenceSeconds = (performance.now() - quietTime) / 1000;
  const cycles = timers.cycles - cyclesBefore;
  ticking.abort();
  await lastTicks;
  watch.stop();
  const deadLetters = queue.deadLetters();
  return {
    kills: hosts.kills,
    tally: callers.tally,
    reasons: callers.reasons,
    versions: watch.versions,
    calls: countCalls(),
    convergenceSeconds,
    cycles,
    log,
    violations: [
      ...watch.violations,
      ...callers.violations,
      ...hosts.failures,
      ...open,
      ...(open.length === 0 ? agreement.leftovers() : []),
      ...foreign.changed().map((where) => `${where} is somebody else's and was changed`),
      ...deadLetters.map(({ body }) => `a dead letter: ${JSON.stringify(body)}`),
    ],
  };

  async function distributeAll(): Promise<void> {
    // One key first: of several at once, each would want to make the vault's key exchange key.
    const [first, ...others] = ledgers;
    for (const batch of [first ? [first] : [], others]) {
      const places = batch.flatMap((ledger) => vaults.map((vault) => ({ ledger, vault })));
      await eachAtMost(callersAtOnce, places, async ({ ledger, vault }) => {
        const ended = ledger.place(vault, true);
        const body = distributionFields;
        const reply = await service.send('POST', `kms/${vault}/key/${ledger.name}`, { body });
        if (reply.fate !== 'accepted') throw new Error(`${ledger.name} was not distributed: ${reply.reason}`);
        ended(reply.fate);
      });
    }
    await converge({ agreement, intents: state.intents, ledgers, isOver: () => false });
  }

  function countCalls(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { vault, operation } of platform.keyVault.calls.slice(callsBefore)) {
      if (vaults.includes(vault)) counts[operation] = (counts[operation] ?? 0) + 1;
    }
    return counts;
  }
}
