import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDeadlines } from '../../../../src/local/service-bus/engine/deadlines.ts';
import { createHeap } from '../../../../src/local/service-bus/engine/heap.ts';
import type { HeapEntry } from '../../../../src/local/service-bus/engine/heap.ts';
import { createSequenceIndex } from '../../../../src/local/service-bus/engine/sequence-index.ts';

interface Entry extends HeapEntry {
  key: number;
  serial: number;
}

const operations = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('push' as const), key: fc.nat(20) }),
    fc.record({ do: fc.constant('pop' as const) }),
    fc.record({ do: fc.constant('remove' as const), which: fc.nat(50) }),
  ),
  { maxLength: 200 },
);

it('a heap gives the first of what is in it, whatever was removed meanwhile', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const heap = createHeap<Entry>((a, b) => a.key < b.key || (a.key === b.key && a.serial < b.serial));
      let plain: Entry[] = [];
      const all: Entry[] = [];
      for (const step of steps) {
        const sorted = plain.toSorted((a, b) => a.key - b.key || a.serial - b.serial);
        if (step.do === 'push') {
          const entry = { key: step.key, serial: all.length, heapPosition: -1 };
          all.push(entry);
          plain.push(entry);
          heap.push(entry);
        } else if (step.do === 'pop') {
          expect(heap.pop()).toBe(sorted[0]);
          plain = plain.filter((entry) => entry !== sorted[0]);
        } else {
          const entry = all[step.which % Math.max(all.length, 1)];
          if (entry === undefined) continue;
          expect(heap.remove(entry)).toBe(plain.includes(entry));
          plain = plain.filter((other) => other !== entry);
        }
        expect(heap.size).toBe(plain.length);
      }
      const rest = Array.from({ length: plain.length }, () => heap.pop());
      expect(rest).toEqual(plain.toSorted((a, b) => a.key - b.key || a.serial - b.serial));
      expect(heap.first()).toBeUndefined();
    }),
  );
});

it('a sequence index reads on from any number, past what was removed', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(300), { maxLength: 200 }),
      fc.array(fc.nat(300), { maxLength: 300 }),
      fc.nat(300),
      (numbers, removed, from) => {
        const index = createSequenceIndex<{ sequenceNumber: number }>();
        const entries = numbers.toSorted((a, b) => a - b).map((sequenceNumber) => ({ sequenceNumber }));
        entries.forEach((entry) => index.append(entry));
        removed.forEach((sequenceNumber) => index.remove({ sequenceNumber }));
        const expected = entries.filter(
          ({ sequenceNumber }) => sequenceNumber >= from && !removed.includes(sequenceNumber),
        );
        expect([...index.from(from)]).toEqual(expected);
      },
    ),
  );
});

it('deadlines run once, when they are due, in order of time and then of creation', () => {
  const ran: string[] = [];
  const deadlines = createDeadlines();
  deadlines.add(20, () => ran.push('b'));
  deadlines.add(10, () => ran.push('a'));
  deadlines.add(20, () => ran.push('c'));
  const cancelled = deadlines.add(15, () => ran.push('never'));
  deadlines.add(30, () => ran.push('d'));
  deadlines.cancel(cancelled);
  expect(deadlines.next()).toBe(10);
  expect(deadlines.advance(9)).toBe(false);
  expect(deadlines.advance(25)).toBe(true);
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(deadlines.next()).toBe(30);
  // One that is made while others run is run as well, if it is due.
  deadlines.add(31, () => deadlines.add(31, () => ran.push('e')));
  deadlines.advance(40);
  expect(ran).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(deadlines.next()).toBeUndefined();
});
