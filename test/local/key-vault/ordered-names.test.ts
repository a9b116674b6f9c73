import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOrderedNames } from '../../../src/local/key-vault/ordered-names.ts';

const name = fc.nat({ max: 3000 }).map((n) => String(n));

test('agrees with a sorted set, over many blocks and through removals of whole ranges', () => {
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1500, maxLength: 4000, size: 'max' }),
      fc.array(
        fc.record({ remove: fc.array(name, { maxLength: 1500, size: 'max' }), from: name, count: fc.nat(1200) }),
        {
          maxLength: 4,
        },
      ),
      (added, rounds) => {
        const names = createOrderedNames();
        const model = new Set<string>();
        for (const one of added) {
          names.add(one);
          model.add(one);
        }
        for (const { remove, from, count } of [{ remove: [], from: '', count: 5000 }, ...rounds]) {
          for (const one of remove) {
            names.remove(one);
            model.delete(one);
          }
          const expected = [...model].sort().filter((one) => one >= from);
          expect(names.from(from, count)).toEqual(expected.slice(0, count));
        }
        for (const one of model) names.remove(one);
        expect(names.from('', 5000)).toEqual([]);
        names.add('again');
        expect(names.from('', 1)).toEqual(['again']);
      },
    ),
    { numRuns: 30 },
  );
});
