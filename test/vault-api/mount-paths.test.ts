import { describe, expect, test } from 'vitest';
import { conflictingMount, longestMount } from '../../src/vault-api/mount-paths.ts';

const paths = ['team/', 'team/a/', 'team/a/keys/', 'other/'].map((path) => ({ path }));

describe.each([
  ['in order', paths],
  ['in reverse', paths.toReversed()],
])('mounts %s', (_order, mounts) => {
  test.each([
    ['team', 'team/'],
    ['team/b', 'team/'],
    ['team/a', 'team/a/'],
    ['team/ab', 'team/'],
    ['team/a/keys', 'team/a/keys/'],
    ['team/a/keys/key/x', 'team/a/keys/'],
    ['teams', undefined],
    ['', undefined],
  ])('the longest for "%s" is %s', (path, expected) => {
    expect(longestMount(mounts, path)?.path).toBe(expected);
  });
});

test.each([
  ['team/a/keys/x/', true],
  ['te/', false],
  ['other/', true],
  ['oth/', false],
  ['others/', false],
])('"%s" conflicts: %s', (path, expected) => {
  expect(conflictingMount(paths, path) !== undefined).toBe(expected);
});
