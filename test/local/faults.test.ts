import { afterEach, describe, expect, test } from 'vitest';
import { createFaults, seededRandom, type Fault } from '../../src/local/faults.ts';
import { reportFaults } from '../support/report-faults.ts';

const fault: Fault = { kind: 'reset' };
const draw = (count: number, next: () => unknown) => Array.from({ length: count }, next);

describe('rules', () => {
  test('apply to what they name, the first that applies', () => {
    const faults = createFaults();
    faults.add({ service: 'key-vault', operation: /^get/, name: 'a', fault: { kind: 'drop-reply' } });
    const remove = faults.add({ service: 'key-vault', fault });
    const take = (operation: string, name: string) => faults.take('key-vault', operation, name)?.kind;
    expect([take('get', 'a'), take('getDeleted', 'a'), take('get', 'b'), take('create', 'a')]).toEqual([
      'drop-reply',
      'drop-reply',
      'reset',
      'reset',
    ]);
    expect(faults.take('service-bus', 'get', 'a')).toBeUndefined();
    remove();
    expect(take('create', 'a')).toBeUndefined();
  });

  test('wait for their turn and are spent', () => {
    const faults = createFaults();
    faults.add({ service: 'entra', after: 1, times: 2, fault });
    const taken = draw(5, () => faults.take('entra', 'token', 'a')?.kind);
    expect(taken).toEqual([undefined, 'reset', 'reset', undefined, undefined]);
    expect(faults.log).toEqual(draw(2, () => ({ service: 'entra', operation: 'token', name: 'a', fault })));
  });

  test('for pages apply to pages alone, the others to all but pages', () => {
    const faults = createFaults();
    faults.add({ service: 'key-vault', times: 1, fault: { kind: 'empty-page' } });
    faults.add({ service: 'key-vault', times: 1, fault });
    expect(faults.take('key-vault', 'list', '')).toEqual(fault);
    expect(faults.takePage('key-vault', 'list', '')).toEqual({ kind: 'empty-page' });
    expect(faults.takePage('key-vault', 'list', '')).toBeUndefined();
  });

  test('with a chance are the same for the same seed', () => {
    const pattern = (seed: number) => {
      const faults = createFaults(seededRandom(seed));
      faults.add({ service: 'identity', chance: 0.3, fault });
      return draw(2000, () => (faults.take('identity', 'token', '') ? 1 : 0)) as number[];
    };
    expect(pattern(1)).toEqual(pattern(1));
    expect(pattern(1)).not.toEqual(pattern(2));
    const taken = pattern(3).reduce((sum, one) => sum + one, 0);
    expect(taken).toBeGreaterThan(500);
    expect(taken).toBeLessThan(700);
  });
});

test('seeded numbers are spread evenly from 0 up to 1', () => {
  const tenths = Array<number>(10).fill(0);
  const random = seededRandom(Date.now());
  for (const number of draw(20_000, random) as number[]) {
    tenths[Math.floor(number * 10)]! += 1;
  }
  expect(tenths).toHaveLength(10);
  for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(300);
});

describe('the report of a test', () => {
  const faults = createFaults();
  faults.take('entra', 'token', 'without a rule');
  // Hooks after a test run in the reverse order of their making: this one sees what the next has written.
  afterEach(({ task }) => {
    expect(task.meta.faults).toEqual(['key-vault get a: reset', 'key-vault list (all): delay {"milliseconds":1}']);
  });
  reportFaults(() => faults);

  test.each(['has the faults that the test suffered', 'has none of those of the test before'])('%s', () => {
    faults.add({ service: 'key-vault', operation: 'get', times: 1, fault });
    faults.add({ service: 'key-vault', operation: 'list', times: 1, fault: { kind: 'delay', milliseconds: 1 } });
    expect(faults.take('key-vault', 'get', 'a')).toBeDefined();
    expect(faults.take('key-vault', 'list', '')).toBeDefined();
  });
});
