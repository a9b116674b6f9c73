import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absence, createHeldDigests } from '../../../src/reconcile/drift/held-digests.ts';
import { runsOf } from '../../support/runs.ts';

const digest = (text: string) => hash('sha256', text, 'base64url').slice(0, 16);
const name = fc.integer({ min: 0, max: 40 }).map((index) => `key-${index}`);
const seen = fc.integer({ min: 0, max: 3 }).map((index) => digest(String(index)));

describe('what the list of a vault is compared with', () => {
  it('is what a plain map would make of it', () => {
    const held = fc.uniqueArray(fc.record({ name, seen: fc.option(fc.oneof(seen, fc.constant(absence))) }), {
      selector: (entry) => entry.name,
    });
    const shown = fc.uniqueArray(fc.record({ name, seen }), { selector: (entry) => entry.name });
    const check = fc.property(held, shown, (heldKeys, shownKeys) => {
      const digests = createHeldDigests();
      const remembered = new Map(heldKeys.map((entry) => [entry.name, entry.seen]));
      const now = new Map(shownKeys.map((entry) => [entry.name, entry.seen]));
      for (const entry of heldKeys) digests.add(entry.name, entry.seen ?? undefined);
      for (const entry of shownKeys) {
        const isAsKnown = remembered.has(entry.name) ? remembered.get(entry.name) === entry.seen : undefined;
        expect(digests.show(entry.name, entry.seen)).toBe(isAsKnown);
      }
      const changes = [...remembered].filter(([key, before]) => before !== (now.get(key) ?? absence));
      expect(digests.changedCount()).toBe(changes.length);
      for (const [key] of remembered) {
        const isChanged = changes.some(([changed]) => changed === key);
        expect(digests.changeOf(key)).toBe(isChanged ? (now.get(key) ?? absence) : undefined);
      }
      expect(digests.changeOf('never added')).toBeUndefined();
    });
    fc.assert(check, runsOf({ usually: 500, long: 5_000 }));
  });

  it('tells 10,000 keys apart', () => {
    const digests = createHeldDigests();
    const names = Array.from({ length: 10_000 }, (_, index) => `key-${index}`);
    for (const key of names) digests.add(key, digest(key));
    expect(digests.changedCount()).toBe(names.length);
    for (const key of names) expect(digests.show(key, digest(key))).toBe(true);
    expect(digests.changedCount()).toBe(0);
    expect(digests.show('key-7', digest('other'))).toBe(false);
    expect(digests.changeOf('key-7')).toBe(digest('other'));
    expect(digests.show('key-10000', digest('other'))).toBeUndefined();
  });
});
