import { describe, expect, it } from 'vitest';
import { isAzureFailure, type AzureFailure } from '../../../src/azure-failure.ts';
import { seededRandom } from '../../../src/local/faults.ts';
import { importInTheEnd, importInto, openGovernor } from '../../support/governed-fleet.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import { createSimulatedFleet } from '../../support/simulated-vaults.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

function open(limits = { import: 60 }) {
  const clock = createVirtualClock();
  const fleet = createSimulatedFleet({ clock, random: seededRandom(1), limits });
  const governor = openGovernor(clock, { table: createMemoryTable(), instanceId: 'one', limits });
  return { clock, fleet, governor };
}

/** The failure that the call ends in. */
async function failureOf(call: Promise<unknown>): Promise<AzureFailure> {
  try {
    await call;
  } catch (error) {
    if (isAzureFailure(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('the turns', () => {
  it('are for somebody who waits before all others, which still get one in ten', async () => {
    const { clock, fleet, governor } = open();
    const { interactive, background } = governor.open(fleet.vault('vault'));
    const batch = Array.from({ length: 8 }, async () => {
      while (clock.now() < 60_000) await importInTheEnd(clock, background);
    });
    await clock.pass(20_000);
    const waits: number[] = [];
    for (let call = 0; call < 20; call++) {
      const askedAt = clock.now();
      await clock.until(importInto(interactive));
      waits.push(clock.now() - askedAt);
    }
    // A sixth of a second between two calls, and the call itself.
    expect(Math.max(...waits)).toBeLessThan(500);

    const done: string[] = [];
    const crowd = Array.from({ length: 12 }, async () => {
      while (clock.now() < 50_000) {
        await importInTheEnd(clock, interactive);
        if (clock.now() > 35_000) done.push('interactive');
      }
    });
    const others = (async () => {
      while (clock.now() < 50_000) {
        await importInTheEnd(clock, background);
        if (clock.now() > 35_000) done.push('background');
      }
    })();
    await clock.until(Promise.all([...batch, ...crowd, others]));
    const ofBackground = done.filter((lane) => lane === 'background').length;
    expect(ofBackground).toBeGreaterThan(0);
    expect(done.filter((lane) => lane === 'interactive').length).toBeGreaterThan(3 * ofBackground);
  });

  it('go round between vaults: each gets the same of the limits of their group', async () => {
    const { clock, fleet, governor } = open();
    const names = Array.from({ length: 10 }, (_, index) => `vault-${index}`);
    const work = names.flatMap((name, index) => {
      const { background } = governor.open(fleet.vault(name));
      // Some have more callers than others.
      return Array.from({ length: 2 + (index % 3) }, async () => {
        while (clock.now() < 120_000) await importInTheEnd(clock, background);
      });
    });
    await clock.until(Promise.all(work));
    const counts = names.map((name) => fleet.calls.filter(({ vault }) => vault === name).length);
    console.log(`calls by vault: ${counts.join(', ')}`);
    const sum = counts.reduce((total, count) => total + count);
    const jain = sum ** 2 / (counts.length * counts.reduce((total, count) => total + count ** 2, 0));
    expect(jain).toBeGreaterThan(0.99);
    expect(sum).toBeGreaterThan(0.9 * 5 * 6 * 120);
  });

  it('that are far away are not waited for: work is put off, each to a time of its own', async () => {
    const { clock, fleet, governor } = open({ import: 10 });
    const { background } = governor.open(fleet.vault('vault'));
    const calls = Array.from({ length: 40 }, () => failureOf(importInto(background)).catch(() => undefined));
    const askedAt = clock.now();
    const outcomes = await clock.until(Promise.all(calls));
    const deferred = outcomes.filter((failure) => failure !== undefined);
    expect(clock.now() - askedAt).toBeLessThan(3_500);
    expect(deferred.length).toBeGreaterThan(30);
    for (const failure of deferred) expect(failure).toMatchObject({ kind: 'throttled', deferred: true });
    const times = deferred.map(({ retryAfterSeconds = 0 }) => retryAfterSeconds).sort((left, right) => left - right);
    // One call a second: the last of 36 comes back after half a minute.
    expect(times.at(-1)).toBeGreaterThan(25);
    expect(times.at(-1)).toBeLessThan(60);
    for (const [index, time] of times.entries()) {
      if (index > 0) expect(time - (times[index - 1] ?? 0)).toBeGreaterThan(0.5);
    }
  });

  it('of a vault that is slow leave room for others', async () => {
    const { clock, fleet, governor } = open({ import: 300 });
    const slow = governor.open(fleet.vault('slow', { latency: () => 10_000 })).background;
    const fast = governor.open(fleet.vault('fast')).background;
    // As the sessions of an instance: 16 in all, for whichever comes.
    const sessions = Array.from({ length: 16 }, async (_, session) => {
      for (let turn = session; clock.now() < 120_000; turn++) {
        const failure = await failureOf(importInto(turn % 2 === 0 ? slow : fast)).catch(() => undefined);
        if (failure !== undefined) await clock.sleep(5);
      }
    });
    await clock.until(Promise.all(sessions));
    const done = fleet.calls.filter(({ vault }) => vault === 'fast').length;
    expect(done / (30 * 120)).toBeGreaterThan(0.8);
  });
});

describe('a vault that does not answer', () => {
  it('is left alone after five failures, tried again at growing intervals, and used again once it answers', async () => {
    const { clock, fleet, governor } = open({ import: 300 });
    let isDead = true;
    const { background } = governor.open(fleet.vault('vault', { dead: () => isDead, latency: () => 10 }));
    const answers: (AzureFailure | undefined)[] = [];
    while (clock.now() < 120_000) {
      answers.push(await clock.until(failureOf(importInto(background)).catch(() => undefined)));
      await clock.pass(100);
    }
    const tried = fleet.calls.map(({ at }) => Math.round(at / 1000));
    expect(tried.slice(0, 5).every((second) => second <= 1)).toBe(true);
    expect(tried.slice(5)).toEqual([5, 15, 35, 75]);
    const keptAway = answers.filter((failure) => failure?.deferred);
    expect(keptAway.length).toBeGreaterThan(1000);
    expect(keptAway[0]).toMatchObject({ kind: 'unavailable' });
    expect(keptAway[0]?.message).toMatch(/"vault" is not asked before 2026-01-01T00:00:0\d.*vault can't be reached/);
    expect(keptAway.every((failure) => (failure?.retryAfterSeconds ?? 0) > 0)).toBe(true);

    isDead = false;
    await clock.pass(60_000);
    await clock.until(importInto(background));
    await clock.until(importInto(background));
  });

  it('holds up nobody else', async () => {
    const { clock, fleet, governor } = open({ import: 60 });
    const dead = governor.open(fleet.vault('dead', { dead: () => true, latency: () => 15_000 })).background;
    const alive = governor.open(fleet.vault('alive')).background;
    const sessions = Array.from({ length: 16 }, async (_, session) => {
      for (let turn = session; clock.now() < 120_000; turn++) {
        const failure = await failureOf(importInto(turn % 2 === 0 ? dead : alive)).catch(() => undefined);
        if (failure !== undefined) await clock.sleep(50);
      }
    });
    await clock.until(Promise.all(sessions));
    const done = fleet.calls.filter(({ vault }) => vault === 'alive').length;
    expect(done / (6 * 120)).toBeGreaterThan(0.9);
    expect(fleet.calls.filter(({ vault }) => vault === 'dead').length).toBeLessThan(30);
  });

  it('is one that answers with anything else', async () => {
    const { clock, fleet, governor } = open({ import: 2 });
    const { background } = governor.open(fleet.vault('vault'));
    for (let call = 0; call < 20; call++) {
      const failure = await clock.until(failureOf(importInto(background)).catch(() => undefined));
      expect(failure?.kind ?? 'throttled').toBe('throttled');
      await clock.pass(100);
    }
  });
});
