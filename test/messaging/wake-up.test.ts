import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeWakeUp, encodeWakeUp, messageIdOf, sessionIdOf } from '../../src/messaging/wake-up.ts';

/** What Service Bus takes for a session id or a message id. */
const longestId = 128;

const name = fc.stringMatching(/^\w([\w.-]{0,510}\w)?$/);
const reference = fc.record({
  mount: fc.stringMatching(/^[\da-f-]{36}$/).map((text) => `0${text.slice(1, -1)}0`),
  key: name,
  provider: name,
});
const stamp = fc.uuid();

it('a reference comes out as it went in, through JSON and back', () => {
  fc.assert(
    fc.property(reference, (one) => {
      expect(decodeWakeUp(JSON.parse(JSON.stringify(encodeWakeUp(one))))).toEqual(one);
    }),
  );
});

it('each distribution has a session of its own, the same in every process', () => {
  fc.assert(
    fc.property(reference, reference, (left, right) => {
      const isSame = left.mount === right.mount && left.key === right.key && left.provider === right.provider;
      expect(sessionIdOf(left) === sessionIdOf(right)).toBe(isSame);
      expect(sessionIdOf({ provider: left.provider, key: left.key, mount: left.mount })).toBe(sessionIdOf(left));
    }),
  );
  // Known beforehand: a message that an older version sent must meet those of a newer one in the same session.
  expect(sessionIdOf({ mount: 'm', key: 'k', provider: 'p' })).toBe('cbf933e6038c9b03bd30930201739e6a');
});

it('no two distributions share a session by where one name ends and the next begins', () => {
  const ids = [
    ['a', 'b', 'cd'],
    ['a', 'bc', 'd'],
    ['ab', 'c', 'd'],
    ['a-b', 'c', 'd'],
    ['a', 'b-c', 'd'],
  ].map(([mount = '', key = '', provider = '']) => sessionIdOf({ mount, key, provider }));
  expect(new Set(ids).size).toBe(ids.length);
});

it('a message id tells distribution and stamp, and nothing else; ids are as long as Service Bus takes', () => {
  fc.assert(
    fc.property(reference, stamp, stamp, (one, first, second) => {
      expect(messageIdOf(one, first)).toBe(messageIdOf({ ...one }, first));
      expect(messageIdOf(one, first) === messageIdOf(one, second)).toBe(first === second);
      expect(messageIdOf(one, first)).not.toBe(messageIdOf({ ...one, key: `${one.key}0` }, first));
      expect(messageIdOf(one, first).length).toBeLessThanOrEqual(longestId);
      expect(`${sessionIdOf(one)}.replay-${first}`.length).toBeLessThanOrEqual(longestId);
    }),
  );
});
