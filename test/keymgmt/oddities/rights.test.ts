import { describe } from 'vitest';
import { agreement, playOddities, type Deed, type Oddity, type Outcome } from '../../support/oddity-cases.ts';
import { reads, writes } from '../../support/oddity-scene.ts';
import type { AzureFailureKind } from '../../../src/azure-failure.ts';
import type { TargetVault } from '../../../src/key-vault/target-vault.ts';

const forbid =
  (...methods: (keyof TargetVault)[]): Deed =>
  ({ fail }) =>
    fail('forbidden', ...methods);
const said = /the vault said forbidden/;
const refused = (rest: Partial<Outcome>): Outcome => ({
  ...{ name: 'refusal, tried again', warns: said, notes: said, isOpen: true, shows: '' },
  ...rest,
});
const relent: Deed = ({ relent }) => relent();

/** Each right withdrawn at each moment at which it is needed, and given back. */
const withdrawn: Oddity[] = [
  {
    name: '`import` withdrawn before the first version',
    before: forbid('importWrapped'),
    outcome: refused({ states: ['refused', 'refused'] }),
    then: agreement(2),
  },
  {
    name: '`import` withdrawn between two versions',
    during: ({ vault, fail }) => {
      const original = vault.importWrapped;
      vault.importWrapped = async (...args) => {
        vault.importWrapped = original;
        const imported = await original(...args);
        fail('forbidden', 'importWrapped');
        return imported;
      };
    },
    outcome: refused({ states: ['confirmed', 'refused'], shows: '1' }),
    then: agreement(2),
  },
  {
    name: '`import` withdrawn before a rotation',
    after: async (scene) => {
      scene.fail('forbidden', 'importWrapped');
      await scene.rotate();
    },
    outcome: refused({ states: ['confirmed', 'confirmed', 'refused'], shows: '1 2' }),
    then: agreement(3),
  },
  {
    name: '`import` withdrawn before a purged key comes back',
    after: async (scene) => {
      scene.fail('forbidden', 'importWrapped');
      await scene.purgeKey();
    },
    outcome: refused({ states: ['refused', 'refused'], notes: /gone for good.*the vault said forbidden/ }),
    then: agreement(2, { name: 'import anew', notes: /gone for good/ }),
  },
  {
    name: '`create` withdrawn before there is a key exchange key',
    before: forbid('createKeyExchangeKey'),
    outcome: refused({ states: ['refused', 'refused'] }),
    then: agreement(2),
  },
  {
    name: '`update` withdrawn before an old version is disabled',
    after: async (scene) => {
      scene.fail('forbidden', 'updateVersion');
      await scene.setMinimum(2);
    },
    outcome: refused({ states: ['refused', 'confirmed'], shows: '1 2' }),
    then: agreement(2, { shows: '1- 2' }),
  },
  {
    name: '`update` withdrawn before an old version is enabled again',
    minimum: 2,
    after: async (scene) => {
      scene.fail('forbidden', 'updateVersion');
      await scene.setMinimum(1);
    },
    outcome: refused({ states: ['refused', 'confirmed'], shows: '1- 2' }),
    then: agreement(2),
  },
  {
    name: '`update` withdrawn before what somebody disabled is enabled',
    after: async (scene) => {
      scene.fail('forbidden', 'updateVersion');
      await scene.change(2, { enabled: false });
    },
    outcome: refused({ states: ['confirmed', 'drifted'], shows: '1 2-' }),
    then: agreement(2),
  },
  {
    name: '`update` withdrawn before altered tags are set right',
    after: async (scene) => {
      scene.fail('forbidden', 'updateVersion');
      await scene.change(1, { tags: { mine: 'now' } });
    },
    outcome: refused({ states: ['drifted', 'confirmed'], shows: '1!tags 2' }),
    then: agreement(2),
  },
  {
    name: '`delete` withdrawn before a removal',
    after: async (scene) => {
      scene.fail('forbidden', 'deleteKey');
      await scene.removeFromVault();
    },
    outcome: refused({ states: ['unknown', 'unknown'], shows: '1 2' }),
    then: { name: 'removal', shows: '' },
  },
  {
    name: '`get` withdrawn before the first version',
    before: forbid('getKey'),
    outcome: refused({ states: ['refused', 'refused'] }),
    then: agreement(2),
  },
  {
    name: '`get` withdrawn where `list` shows nothing new',
    after: forbid('getKey', 'getKeyVersion'),
    outcome: agreement(2),
    then: agreement(2),
  },
  {
    name: '`get` withdrawn before somebody alters operations',
    after: async (scene) => {
      scene.fail('forbidden', 'getKey', 'getKeyVersion');
      await scene.change(2, { operations: [] });
    },
    outcome: {
      name: 'doubt, with its age',
      warns: '',
      states: ['unknown', 'unknown'],
      notes: /it could not be read the last time: the vault said forbidden/,
      shows: '1 2!operations',
    },
    then: agreement(2, { name: 'repair' }),
  },
  {
    name: '`list` withdrawn',
    after: forbid('listKeys', 'listVersions'),
    outcome: agreement(2),
    then: agreement(2),
  },
  {
    name: '`list` withdrawn before somebody deletes the key',
    after: async (scene) => {
      scene.fail('forbidden', 'listKeys', 'listVersions');
      await scene.deleteKey();
    },
    outcome: agreement(2, { name: 'recovery', notes: /Keyfleet recovered it/ }),
  },
  {
    name: '`list` withdrawn and somebody’s version in the middle',
    after: async (scene) => {
      scene.fail('forbidden', 'listKeys', 'listVersions');
      scene.vault.putForeign(await scene.kmsName(), scene.foreignKey);
      await scene.rotate();
    },
    outcome: agreement(3, { name: 'not seen', shows: '1 2 foreign 3' }),
    then: agreement(3, {
      name: 'a report',
      warns: /did not make/,
      notes: /did not make/,
      shows: '1 2 foreign 3',
    }),
  },
  {
    name: '`recover` withdrawn and the key deleted',
    after: async (scene) => {
      scene.fail('forbidden', 'recoverKey');
      await scene.deleteKey();
    },
    outcome: agreement(2, { name: 'import under another name', notes: /may not recover it/ }),
  },
];

const away: [string, AzureFailureKind][] = [
  ['is closed by its firewall', 'shut-out'],
  ['is renamed or gone', 'no-such-vault'],
  ['is in another tenant', 'credentials'],
  ['doesn’t answer', 'unavailable'],
  ['throttles everything', 'throttled'],
];

/** The whole vault is out of reach, at each moment. */
const outOfReach = away.flatMap(([what, kind]): Oddity[] => {
  const words = new RegExp(`the vault said ${kind}`);
  const isRefusal = kind === 'shut-out' || kind === 'no-such-vault' || kind === 'credentials';
  const state = isRefusal ? 'refused' : 'pending';
  const fail: Deed = (scene) => scene.fail(kind, ...reads, ...writes);
  const outcome = { warns: words, notes: words, failure: words, isOpen: true };
  return [
    {
      name: `the vault ${what} before the first version`,
      before: fail,
      outcome: { name: `${state}, tried again`, ...outcome, states: [state, state], shows: '' },
      then: agreement(2),
    },
    {
      name: `the vault ${what} after all agreed`,
      after: fail,
      outcome: {
        name: 'unknown, with its age',
        warns: '',
        failure: words,
        states: ['unknown', 'unknown'],
        shows: '1 2',
      },
      then: agreement(2),
    },
    {
      name: `the vault ${what} when a version is to be imported and another disabled`,
      after: async (scene) => {
        await scene.rotate();
        await scene.setMinimum(2);
        await fail(scene);
      },
      outcome: {
        name: `unknown and ${state}, tried again`,
        ...outcome,
        states: ['unknown', 'unknown', state],
        shows: '1 2',
      },
      then: agreement(3, { shows: '1- 2 3' }),
    },
  ];
});

const ended = (oddity: Oddity): Oddity => ({ ...oddity, ...(oddity.then && { until: relent }) });

describe('rights that are withdrawn', () => playOddities(withdrawn.map(ended)));
describe('vaults out of reach', () => playOddities(outOfReach.map(ended)));
