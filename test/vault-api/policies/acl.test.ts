import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AclOperation, compileAcl, rootAcl } from '../../../src/vault-api/policies/acl.ts';
import type { Capability, Rule } from '../../../src/vault-api/policies/policy-text.ts';
import { referenceAllows, referenceGranted } from './reference-acl.ts';

const rule = (path: string, ...capabilities: Capability[]): Rule => ({ path, capabilities: new Set(capabilities) });
const operations: readonly AclOperation[] = ['create', 'read', 'update', 'patch', 'delete', 'list'];

describe('which rule decides', () => {
  // Each pair: the first is the more specific, for the path at the end.
  test.each<[string, string, string]>([
    ['a/b', 'a/*', 'a/b'],
    ['a/b', 'a/+', 'a/b'],
    ['a/b', '*', 'a/b'],
    ['a/b*', 'a/*', 'a/bc'],
    ['a/*', 'a*', 'a/b'],
    ['a/b*', 'a/+', 'a/bc'],
    ['a/+', 'a/*', 'a/b'],
    ['a/b/+/d', 'a/+/c/d', 'a/b/c/d'],
    ['a/+/c/d', 'a/+/+/d', 'a/b/c/d'],
    ['a/+/c/*', 'a/+/*', 'a/b/c/d'],
    ['a/+/cd*', 'a/+/c*', 'a/b/cd'],
    ['a/+/c', '+/b/c', 'a/b/c'],
    ['+/b', '*', 'a/b'],
    ['+/+', '+/*', 'a/b'],
    // The one later in the alphabet, when nothing else tells them apart.
    ['a/+/c/+', 'a/+/+/d', 'a/b/c/d'],
  ])('%s before %s', (specific, general, path) => {
    for (const rules of [
      [rule(specific, 'read'), rule(general, 'update')],
      [rule(general, 'update'), rule(specific, 'read')],
    ]) {
      const acl = compileAcl(rules);
      expect([acl.allows('read', path), acl.allows('update', path)]).toEqual([true, false]);
    }
  });

  test.each<[string, string, boolean]>([
    ['a/*', 'a/', true],
    ['a/*', 'a/b/c', true],
    ['a/*', 'a', false],
    ['a/*', 'ab', false],
    ['a*', 'ab/c', true],
    ['*', 'anything/at/all', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+/c', 'a/b/b/c', false],
    ['a/+', 'a/b/c', false],
    ['a/+/*', 'a/b/', true],
    ['a/+/*', 'a/b', false],
    ['+', 'a', true],
    ['+', 'a/b', false],
    ['a/+b', 'a/+b', true],
    ['a/+b', 'a/cb', false],
    ['a/*/c', 'a/b/c', false],
    ['a/*/c', 'a/*/c', true],
    ['A/b', 'a/b', false],
  ])('%s and %s: %s', (pattern, path, matches) => {
    expect(compileAcl([rule(pattern, 'read')]).allows('read', path)).toBe(matches);
  });

  test('rules for one path add up, unless one denies', () => {
    const merged = compileAcl([rule('a/*', 'read'), rule('a/*', 'update'), rule('b', 'read'), rule('b', 'deny')]);
    expect(merged.capabilitiesAt('a/x')).toEqual(['read', 'update']);
    expect(merged.capabilitiesAt('b')).toEqual(['deny']);
    expect(compileAcl([rule('b', 'deny'), rule('b', 'read')]).allows('read', 'b')).toBe(false);
  });

  test('a rule that grants nothing still is the one that decides', () => {
    expect(compileAcl([rule('*', 'read'), rule('a/b')]).allows('read', 'a/b')).toBe(false);
  });
});

describe('lists', () => {
  test.each<[string, boolean]>([
    ['a/b', true],
    ['a/b/', true],
    ['a/+', true],
    ['a/+/', true],
    ['a/*', true],
    ['a/b*', true],
    ['a', false],
  ])('of a/b/ by a rule for %s: %s', (pattern, allowed) => {
    expect(compileAcl([rule(pattern, 'list')]).allows('list', 'a/b/')).toBe(allowed);
  });

  test('the more specific of both spellings decides', () => {
    expect(compileAcl([rule('*', 'read'), rule('a/*', 'list')]).allows('list', 'a/')).toBe(true);
    expect(compileAcl([rule('a*', 'list'), rule('a/*', 'deny')]).allows('list', 'a/')).toBe(false);
  });

  test('only lists have two spellings', () => {
    expect(compileAcl([rule('a', 'read')]).allows('read', 'a/')).toBe(false);
  });
});

describe('what is reached', () => {
  test.each<[string, boolean]>([
    ['team/keys/key/a', true],
    ['team/keys', true],
    ['team/*', true],
    ['te*', true],
    ['*', true],
    ['+/keys/key/*', true],
    ['+/+', true],
    ['team/+/key/+', true],
    ['team/keys2/*', false],
    ['team', false],
    ['team/key', false],
    ['+', false],
    ['+/other/*', false],
  ])('by %s: %s', (path, reached) => {
    expect(compileAcl([rule(path, 'read')]).reaches('team/keys/')).toBe(reached);
    expect(compileAcl([rule(path, 'deny')]).reaches('team/keys/')).toBe(false);
    expect(compileAcl([rule(path)]).reaches('team/keys/')).toBe(false);
  });
});

test('root may do everything and says so', () => {
  expect(operations.every((operation) => rootAcl.allows(operation, 'x'))).toBe(true);
  expect([rootAcl.capabilitiesAt('x'), rootAcl.isSudo('read', 'x'), rootAcl.reaches('x/')]).toEqual([
    ['root'],
    true,
    true,
  ]);
});

test('nothing is allowed to nobody', () => {
  const none = compileAcl([]);
  expect(operations.some((operation) => none.allows(operation, 'a'))).toBe(false);
  expect([none.capabilitiesAt('a'), none.isSudo('read', 'a'), none.reaches('a/')]).toEqual([['deny'], false, false]);
});

// Few names, so that rules meet; empty segments and odd characters too.
const segment = fc.constantFrom('a', 'b', 'ab', 'a+', '+b', '');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
const rulePath = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constant('+')), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    fc.boolean(),
  )
  .map(([text, glob]) => (glob ? `${text}*` : text))
  .filter((text) => !text.includes('+*'));
const granted = fc.uniqueArray(
  fc.constantFrom<Capability>('create', 'read', 'update', 'delete', 'list', 'sudo', 'deny'),
  {
    maxLength: 3,
  },
);
const rules = fc.array(
  fc.record({
    path: rulePath,
    capabilities: granted.map((names) => new Set<Capability>(names.includes('deny') ? ['deny'] : names)),
  }),
  { maxLength: 8 },
);

test('agrees with the plain reading of the rules', () => {
  const numRuns = process.env.KEYFLEET_TEST_LONG === '1' ? 100_000 : 20_000;
  fc.assert(
    fc.property(rules, path, fc.constantFrom(...operations), (someRules, somePath, operation) => {
      const acl = compileAcl(someRules);
      expect(acl.allows(operation, somePath)).toBe(referenceAllows(someRules, operation, somePath));
      expect(acl.isSudo(operation, somePath)).toBe(
        referenceGranted(someRules, somePath, operation === 'list').has('sudo'),
      );
    }),
    { numRuns },
  );
});
