import { describe } from 'vitest';
import { agreement, playOddities, type Deed, type Oddity, type Outcome } from '../../support/oddity-cases.ts';
import type { DriftPolicy } from '../../../src/state/providers.ts';

interface Deviation {
  name: string;
  deed: Deed;
  /** As long as it is left alone. */
  left: Omit<Outcome, 'name' | 'warns'> & { words: RegExp; isGone?: boolean };
  /** Once it was asked to be mended. */
  mended: Outcome;
}

const onTop = /the newest version was not made by Keyfleet/;

const deviations: Deviation[] = [
  {
    name: 'the newest version disabled',
    deed: ({ change }) => change(2, { enabled: false }),
    left: { words: /somebody disabled it/, states: ['confirmed', 'drifted'], shows: '1- 2-' },
    mended: agreement(2, { shows: '1- 2' }),
  },
  {
    name: 'an old version enabled',
    deed: ({ change }) => change(1, { enabled: true }),
    left: { words: /somebody enabled it/, states: ['drifted', 'confirmed'], shows: '1 2' },
    mended: agreement(2, { shows: '1- 2' }),
  },
  {
    name: 'tags removed',
    deed: ({ change }) => change(2, { tags: {} }),
    left: { words: /other tags/, states: ['confirmed', 'drifted'], shows: '1- 2!tags' },
    mended: agreement(2, { shows: '1- 2' }),
  },
  {
    name: 'operations changed',
    deed: ({ change }) => change(2, { operations: ['verify'] }),
    left: { words: /permits other operations/, states: ['confirmed', 'drifted'], shows: '1- 2!operations' },
    mended: agreement(2, { shows: '1- 2' }),
  },
  {
    name: 'the key deleted',
    deed: ({ deleteKey }) => deleteKey(),
    left: { words: /it is not there/, states: ['missing', 'missing'], shows: '', isGone: true },
    mended: agreement(2, { name: 'recovery', notes: /recovered it/, shows: '1- 2' }),
  },
  {
    name: 'the key purged',
    deed: ({ purgeKey }) => purgeKey(),
    left: { words: /it is not there/, states: ['missing', 'missing'], shows: '', isGone: true },
    mended: agreement(2, { name: 'import anew', notes: /gone for good/, shows: '1- 2' }),
  },
  {
    name: 'the newest version gone',
    deed: ({ lose }) => lose(2),
    left: { words: /it is not there/, states: ['confirmed', 'missing'], shows: '1-', isGone: true },
    mended: agreement(2, { shows: '1- 2' }),
  },
  {
    name: 'an old version gone',
    deed: ({ lose }) => lose(1),
    left: { words: /it is not there/, states: ['missing', 'confirmed'], shows: '2', isGone: true },
    mended: {
      name: 'left as it is',
      warns: /it is not there/,
      states: ['missing', 'confirmed'],
      shows: '2',
    },
  },
  {
    name: 'somebody’s version on top',
    deed: async ({ vault, kmsName, foreignKey }) => vault.putForeign(await kmsName(), foreignKey),
    left: { words: onTop, states: ['confirmed', 'confirmed'], notes: onTop, shows: '1- 2 foreign' },
    mended: agreement(2, { name: 'left as it is', warns: onTop, notes: onTop, shows: '1- 2 foreign' }),
  },
];

function under(policy: DriftPolicy): Oddity[] {
  return deviations.map(({ name, deed, left: { words, isGone = false, ...left }, mended }) => ({
    ...{ name: `${policy}: ${name}`, policy, minimum: 2, after: deed },
    outcome: { ...left, name: `left as it is`, warns: policy === 'report' || isGone ? words : '' },
    until: async (scene) => {
      await scene.distribute();
      await scene.settle();
    },
    then: mended,
  }));
}

const changedMinds: Oddity[] = [
  {
    name: 'left alone, and then to be repaired after all',
    policy: 'report',
    after: ({ change }) => change(2, { enabled: false, tags: {} }),
    outcome: {
      name: 'left as it is',
      warns: /somebody disabled it/,
      states: ['confirmed', 'drifted'],
      shows: '1 2-!tags',
    },
    until: ({ setPolicy }) => setPolicy('repair'),
    then: agreement(2, { name: 'repair' }),
  },
  {
    name: 'left alone, and set right by whoever did it',
    policy: 'report',
    after: ({ change }) => change(2, { enabled: false }),
    outcome: {
      name: 'left as it is',
      warns: /somebody disabled it/,
      states: ['confirmed', 'drifted'],
      shows: '1 2-',
    },
    until: ({ change }) => change(2, { enabled: true }),
    then: agreement(2),
  },
  {
    name: 'left alone, and a rotation and a minimum go on',
    policy: 'ignore',
    after: async ({ change, rotate, setMinimum }) => {
      await change(2, { enabled: false });
      await rotate();
      await setMinimum(2);
    },
    outcome: {
      name: 'our own changes go on',
      warns: '',
      states: ['confirmed', 'drifted', 'confirmed'],
      shows: '1- 2- 3',
    },
  },
];

describe('what is to be reported', () => playOddities(under('report')));
describe('what is to be ignored', () => playOddities(under('ignore')));
describe('whoever changes their mind', () => playOddities(changedMinds));
