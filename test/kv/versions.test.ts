import { describe, expect, test } from 'vitest';
import {
  addVersion,
  comingEnds,
  deleteVersions,
  destroyVersions,
  findVersion,
  isGone,
  newRecord,
  undeleteVersions,
} from '../../src/kv/versions.ts';
import type { SecretEngineConfig, SecretRecord } from '../../src/state/secret-records.ts';

const unset: SecretEngineConfig = { maxVersions: 0, casRequired: false, deleteVersionAfterSeconds: 0 };
const second = (count: number) => new Date(Date.UTC(2026, 0, 1) + count * 1000);

/** A record with versions 1 to `count`, one made each second. */
function recordOf(count: number, config = unset, settings: Partial<SecretRecord> = {}): SecretRecord {
  let record: SecretRecord = { ...newRecord(second(0)), ...settings };
  for (let made = 1; made <= count; made++) record = addVersion(record, config, second(made)).record;
  return record;
}

const numbers = ({ versions }: SecretRecord) => versions.map(({ version }) => version);

describe('a new version', () => {
  test('has the next number and its own times', () => {
    const { record, forget } = addVersion(recordOf(1), unset, second(9));
    expect(record).toMatchObject({ currentVersion: 2, createdTime: second(0), updatedTime: second(9) });
    expect(record.versions.at(-1)).toEqual({ version: 2, createdTime: second(9), destroyed: false });
    expect(forget).toEqual([]);
  });

  test('moves the oldest version on from the tenth on, and takes the first away with the eleventh', () => {
    expect(recordOf(9)).toMatchObject({ oldestVersion: 0 });
    expect(recordOf(10)).toMatchObject({ oldestVersion: 1 });
    expect(numbers(recordOf(10))).toHaveLength(10);
    const { record, forget } = addVersion(recordOf(10), unset, second(11));
    expect(record.oldestVersion).toBe(2);
    expect(numbers(record)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(forget).toEqual([1]);
  });

  test.each([
    { engine: 0, secret: 3, kept: 3 },
    { engine: 4, secret: 0, kept: 4 },
    { engine: 4, secret: 3, kept: 4 },
    { engine: 2, secret: 5, kept: 5 },
    { engine: 0, secret: 0, kept: 10 },
    { engine: 1, secret: 0, kept: 1 },
  ])('keeps $kept where the engine says $engine and the secret $secret', ({ engine, secret, kept }) => {
    const record = recordOf(20, { ...unset, maxVersions: engine }, { maxVersions: secret });
    expect(numbers(record)).toEqual(Array.from({ length: kept }, (_, index) => 20 - kept + 1 + index));
  });

  test('takes away all that are too many at once, but values that are gone already are not forgotten again', () => {
    const destroyed = destroyVersions(recordOf(6), [2])?.record ?? recordOf(0);
    const { record, forget } = addVersion({ ...destroyed, maxVersions: 2 }, unset, second(7));
    expect(numbers(record)).toEqual([6, 7]);
    expect(forget).toEqual([1, 3, 4, 5]);
  });

  test('brings no version back when more may be kept again', () => {
    const few = recordOf(5, unset, { maxVersions: 2 });
    const { record } = addVersion({ ...few, maxVersions: 10 }, unset, second(6));
    expect(numbers(record)).toEqual([4, 5, 6]);
    expect(record.oldestVersion).toBe(4);
  });

  test.each([
    { engine: 0, secret: 0, after: undefined },
    { engine: 60, secret: 0, after: 60 },
    { engine: 0, secret: 30, after: 30 },
    { engine: 60, secret: 30, after: 30 },
    { engine: 30, secret: 60, after: 30 },
    { engine: -1, secret: 60, after: undefined },
    { engine: -1, secret: 0, after: undefined },
  ])('ends after $after s where the engine says $engine and the secret $secret', ({ engine, secret, after }) => {
    const settings = { ...newRecord(second(0)), deleteVersionAfterSeconds: secret };
    const { record } = addVersion(settings, { ...unset, deleteVersionAfterSeconds: engine }, second(1));
    expect(findVersion(record, 1)?.deletionTime).toEqual(after === undefined ? undefined : second(1 + after));
  });
});

describe('deleting', () => {
  test('marks what can still be read, and leaves the rest alone', () => {
    const deleted = deleteVersions(recordOf(3), [1, 3, 7], second(9))?.record ?? recordOf(0);
    expect(deleted.versions.map(({ deletionTime }) => deletionTime)).toEqual([second(9), undefined, second(9)]);
    expect(deleted.updatedTime).toEqual(second(3));
    expect(deleteVersions(deleted, [1, 3], second(20))).toBeUndefined();
    expect(deleteVersions(deleted, [0, 4], second(20))).toBeUndefined();
  });

  test('brings an end forward that lies ahead', () => {
    const record = recordOf(1, { ...unset, deleteVersionAfterSeconds: 100 });
    expect(deleteVersions(record, [1], second(5))?.record.versions[0]?.deletionTime).toEqual(second(5));
    expect(deleteVersions(record, [1], second(101))).toBeUndefined();
  });
});

describe('undeleting', () => {
  const deleted = deleteVersions(recordOf(2), [1, 2], second(5))?.record ?? recordOf(0);

  test('takes the mark away', () => {
    const back = undeleteVersions(deleted, [2], unset, second(9))?.record;
    expect(back?.versions).toEqual([
      { version: 1, createdTime: second(1), deletionTime: second(5), destroyed: false },
      { version: 2, createdTime: second(2), destroyed: false },
    ]);
  });

  test('lets time begin anew where versions have an end, for those too that were not deleted', () => {
    const config = { ...unset, deleteVersionAfterSeconds: 60 };
    const ends = (record: SecretRecord | undefined) => record?.versions.map(({ deletionTime }) => deletionTime);
    expect(ends(undeleteVersions(deleted, [1, 2], config, second(9))?.record)).toEqual([second(69), second(69)]);
    expect(ends(undeleteVersions(recordOf(2), [2], config, second(9))?.record)).toEqual([undefined, second(69)]);
  });

  test('changes nothing where there is nothing to bring back', () => {
    expect(undeleteVersions(recordOf(2), [1, 2], unset, second(9))).toBeUndefined();
    expect(undeleteVersions(deleted, [3], unset, second(9))).toBeUndefined();
    const destroyed = destroyVersions(deleted, [1])?.record ?? recordOf(0);
    expect(undeleteVersions(destroyed, [1], unset, second(9))).toBeUndefined();
  });
});

describe('destroying', () => {
  test('forgets values, whether deleted or not, and once', () => {
    const deleted = deleteVersions(recordOf(3), [1], second(5))?.record ?? recordOf(0);
    const destroyed = destroyVersions(deleted, [1, 3, 9]);
    expect(destroyed?.forget).toEqual([1, 3]);
    expect(destroyed?.record.versions.map((version) => version.destroyed)).toEqual([true, false, true]);
    expect(destroyed?.record.versions[0]?.deletionTime).toEqual(second(5));
    expect(destroyVersions(destroyed?.record ?? deleted, [1, 3])).toBeUndefined();
  });
});

test('a version is gone from the very moment on at which it ends', () => {
  const version = { version: 1, createdTime: second(0), destroyed: false };
  expect(isGone(version, second(99))).toBe(false);
  expect(isGone({ ...version, destroyed: true }, second(0))).toBe(true);
  expect(isGone({ ...version, deletionTime: second(5) }, new Date(second(5).getTime() - 1))).toBe(false);
  expect(isGone({ ...version, deletionTime: second(5) }, second(5))).toBe(true);
});

test('ends to come are those of versions that can be read until then', () => {
  const version = { createdTime: second(0), destroyed: false };
  const record: SecretRecord = {
    ...newRecord(second(0)),
    versions: [
      { ...version, version: 1 },
      { ...version, version: 2, deletionTime: second(5) },
      { ...version, version: 3, deletionTime: second(6) },
      { ...version, version: 4, deletionTime: second(7), destroyed: true },
      { ...version, version: 5, deletionTime: second(8) },
      { ...version, version: 6, deletionTime: second(8) },
    ],
  };
  expect([...comingEnds(record, second(5))]).toEqual([second(6).getTime(), second(8).getTime()]);
  expect(comingEnds(undefined, second(5)).size).toBe(0);
});
