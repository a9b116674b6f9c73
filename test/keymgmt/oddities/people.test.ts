import { describe } from 'vitest';
import { agreement, playOddities, type Oddity } from '../../support/oddity-cases.ts';

const recovered = /was deleted; Keyfleet recovered it/;
const importedAnew = /all versions were imported again/;

const versions: Oddity[] = [
  {
    name: 'the whole key disabled, every version of it',
    after: async ({ change }) => {
      await change(1, { enabled: false });
      await change(2, { enabled: false });
    },
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'the newest version disabled while an old one should be off',
    minimum: 2,
    after: ({ change }) => change(2, { enabled: false }),
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
  {
    name: 'the newest version disabled and the old one enabled in its place',
    minimum: 2,
    after: async ({ change }) => {
      await change(2, { enabled: false });
      await change(1, { enabled: true });
    },
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
  {
    name: 'a version disabled just before the minimum makes it the only one',
    after: async ({ change, setMinimum }) => {
      await change(2, { enabled: false });
      await setMinimum(2);
    },
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
  {
    name: 'the same, and nobody looks before it is done',
    after: async ({ change, setMinimum, settle }) => {
      await change(2, { enabled: false });
      await setMinimum(2);
      await settle();
    },
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
  {
    name: 'operations taken from the newest just before the minimum makes it the only one',
    after: async ({ change, setMinimum, settle }) => {
      await change(2, { operations: [] });
      await setMinimum(2);
      await settle();
    },
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
  {
    name: 'the newest disabled, to be left alone, just before the minimum makes it the only one',
    policy: 'report',
    after: async ({ change, setMinimum, settle }) => {
      await change(2, { enabled: false });
      await setMinimum(2);
      await settle();
    },
    outcome: {
      name: 'left as it is',
      warns: /somebody disabled it/,
      states: ['pending', 'drifted'],
      shows: '1 2-',
    },
  },
  {
    name: 'a version disabled just before a rotation',
    after: async ({ change, rotate }) => {
      await change(2, { enabled: false });
      await rotate();
    },
    outcome: agreement(3, { name: 'repair' }),
  },
  {
    name: 'one tag removed',
    after: async ({ change, held }) => {
      const { 'keyfleet-fingerprint': _removed, ...tags } = (await held())[1]?.tags ?? {};
      await change(2, { tags });
    },
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'a tag added',
    after: async ({ change, held }) => change(2, { tags: { ...(await held())[1]?.tags, team: 'blue' } }),
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'all tags removed from all versions',
    after: async ({ change }) => {
      await change(1, { tags: {} });
      await change(2, { tags: {} });
    },
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'the number in the tags altered to one that is to come',
    after: async ({ change, held, rotate }) => {
      await change(2, { tags: { ...(await held())[1]?.tags, 'keyfleet-version': '3' } });
      await rotate();
    },
    outcome: agreement(3, { name: 'repair' }),
  },
  {
    name: 'the tags of two versions swapped',
    after: async ({ change, held }) => {
      const [first, second] = await held();
      await change(1, { tags: { ...second?.tags } });
      await change(2, { tags: { ...first?.tags } });
    },
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'operations taken away',
    after: ({ change }) => change(2, { operations: [] }),
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'operations added to an old version',
    after: ({ change }) => change(1, { operations: ['sign', 'unwrapKey'] }),
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'everything about every version altered',
    minimum: 2,
    after: async ({ change }) => {
      await change(1, { tags: { a: 'b' }, operations: ['verify'], enabled: true });
      await change(2, { tags: { a: 'b' }, operations: ['verify'], enabled: false });
    },
    outcome: agreement(2, { name: 'repair', shows: '1- 2' }),
  },
];

const wholeKeys: Oddity[] = [
  {
    name: 'the key deleted',
    after: ({ deleteKey }) => deleteKey(),
    outcome: agreement(2, { name: 'recovery', notes: recovered }),
  },
  {
    name: 'the key deleted and recovered by a person',
    after: async ({ deleteKey, vault, kmsName, world }) => {
      await deleteKey();
      await vault.recoverKey(await kmsName(), { deadline: new Date(world.now().getTime() + 1000) });
    },
    outcome: agreement(2),
  },
  {
    name: 'the key disabled, then deleted',
    after: async ({ deleteKey, change }) => {
      await change(1, { enabled: false });
      await change(2, { enabled: false });
      await deleteKey();
    },
    outcome: agreement(2, { name: 'recovery and repair', notes: recovered }),
  },
  {
    name: 'the key deleted, then rotated before anybody looked',
    after: async ({ deleteKey, rotate }) => {
      await deleteKey();
      await rotate();
    },
    outcome: agreement(3, { name: 'recovery', notes: recovered }),
  },
  {
    name: 'the tags of the newest version altered, then the key deleted',
    after: async ({ change, deleteKey }) => {
      await change(2, { tags: {} });
      await deleteKey();
    },
    // The deleted key isn't known as ours any more: it stays as it is.
    outcome: agreement(2, { name: 'import under another name', notes: importedAnew }),
  },
  {
    name: 'the key purged',
    after: ({ purgeKey }) => purgeKey(),
    outcome: agreement(2, { name: 'import anew', notes: importedAnew }),
  },
  {
    name: 'the key purged just before a rotation',
    minimum: 2,
    after: async ({ purgeKey, rotate }) => {
      await purgeKey();
      await rotate();
    },
    outcome: agreement(3, { name: 'import anew', notes: importedAnew, shows: '1- 2 3' }),
  },
  {
    name: 'the key deleted while it is on its way out',
    after: async ({ removeFromVault, deleteKey }) => {
      const deleting = deleteKey();
      await removeFromVault();
      await deleting;
    },
    outcome: { name: 'removal', shows: '' },
  },
  {
    name: 'the key deleted in the middle of its distribution',
    during: ({ world, vault, kmsName }) => {
      const original = vault.importWrapped;
      vault.importWrapped = async (...args) => {
        const imported = await original(...args);
        if (args[2].tags['keyfleet-version'] === '1') {
          vault.importWrapped = original;
          await vault.deleteKey(await kmsName(), { deadline: new Date(world.now().getTime() + 1000) });
        }
        return imported;
      };
    },
    outcome: agreement(2, { name: 'recovery', notes: recovered }),
  },
];

describe('what people do to versions', () => playOddities(versions));
describe('what people do to keys', () => playOddities(wholeKeys));
