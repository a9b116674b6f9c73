import { describe } from 'vitest';
import { AzureFailure } from '../../../src/azure-failure.ts';
import { ownerOf } from '../../../src/reconcile/target.ts';
import { agreement, playOddities, type Oddity } from '../../support/oddity-cases.ts';
import { mount } from '../../support/invariants.ts';
import type { OddityScene } from '../../support/oddity-scene.ts';

const nextName = ({ world }: OddityScene) => `a-${Math.floor(world.now().getTime() / 1000)}`;
const onTop = /the newest version was not made by Keyfleet/;
const below = /the key has versions that Keyfleet did not make/;

async function loseReplyOfImport({ vault }: OddityScene): Promise<void> {
  const original = vault.importWrapped;
  vault.importWrapped = async (...args) => {
    vault.importWrapped = original;
    await original(...args);
    throw new AzureFailure('unknown-outcome', 'the reply was lost');
  };
}

const names: Oddity[] = [
  {
    name: 'somebody’s key under the name, before',
    before: (scene) => scene.vault.putForeign(nextName(scene), scene.foreignKey),
    outcome: agreement(2, { name: 'another name', beside: ['foreign'] }),
  },
  {
    name: 'somebody’s key under the name between the request and the import',
    during: async ({ vault, kmsName, foreignKey }) => vault.putForeign(await kmsName(), foreignKey),
    outcome: agreement(2, { name: 'another name', beside: ['foreign'] }),
  },
  {
    name: 'somebody’s key under the name after the look and before the import',
    during: async ({ vault, kmsName, foreignKey }) => {
      const original = vault.importWrapped;
      const name = await kmsName();
      vault.importWrapped = (...args) => {
        vault.importWrapped = original;
        vault.putForeign(name, foreignKey);
        return original(...args);
      };
    },
    outcome: agreement(2, {
      name: 'a report',
      warns: below,
      notes: below,
      shows: 'foreign 1 2',
    }),
  },
  {
    name: 'somebody’s deleted key holds the name and is never purged',
    before: async (scene) => {
      const name = nextName(scene);
      scene.vault.putForeign(name, scene.foreignKey);
      await scene.deleteKey(name);
    },
    outcome: agreement(2, { name: 'another name' }),
    until: ({ vault, world }) => vault.recoverKey('a-1767225600', { deadline: new Date(world.now().getTime() + 1000) }),
    then: agreement(2, { name: 'agreement', beside: ['foreign'] }),
  },
  {
    name: 'a key with our tags for a key that nobody has',
    after: ({ vault, foreignKey }) =>
      vault.putForeign('stray', foreignKey, { 'keyfleet-key': ownerOf(mount, 'p', 'nobody') }),
    outcome: agreement(2, { name: 'a report', beside: ['foreign'], extra: 1 }),
  },
  {
    name: 'our tags copied to somebody’s key under another name',
    after: async ({ vault, foreignKey, held }) => vault.putForeign('copy', foreignKey, (await held())[1]?.tags),
    outcome: agreement(2, { name: 'a report', beside: ['foreign'], extra: 1 }),
    until: ({ deleteKey }) => deleteKey('copy'),
    then: agreement(2),
  },
  {
    name: 'a key with our material and tags under another name',
    after: async ({ vault, held }) => {
      const [, newest] = await held();
      if (newest) vault.putForeign('copy', newest.publicKey, newest.tags);
    },
    outcome: agreement(2, { name: 'a report', beside: ['2!tags'], extra: 1 }),
  },
];

const versions: Oddity[] = [
  {
    name: 'somebody’s version on top',
    after: async ({ vault, kmsName, foreignKey }) => vault.putForeign(await kmsName(), foreignKey),
    outcome: agreement(2, { name: 'a report', warns: onTop, notes: onTop, shows: '1 2 foreign' }),
    until: ({ rotate }) => rotate(),
    then: agreement(3, { name: 'a report', warns: below, notes: below, shows: '1 2 foreign 3' }),
  },
  {
    name: 'somebody’s version on top, and an older one of ours is no longer wanted',
    after: async ({ vault, kmsName, foreignKey, setMinimum }) => {
      vault.putForeign(await kmsName(), foreignKey);
      await setMinimum(2);
    },
    outcome: agreement(2, { name: 'a report', warns: onTop, notes: onTop, shows: '1- 2 foreign' }),
  },
  {
    name: 'somebody’s disabled version on top',
    after: async ({ vault, kmsName, foreignKey, change }) => {
      vault.putForeign(await kmsName(), foreignKey);
      await change(3, { enabled: false });
    },
    outcome: agreement(2, { name: 'a report', warns: onTop, notes: onTop, shows: '1 2 foreign-' }),
  },
  {
    name: 'somebody’s version in the middle of a distribution',
    during: async ({ vault, kmsName, foreignKey }) => {
      const original = vault.importWrapped;
      const name = await kmsName();
      vault.importWrapped = async (...args) => {
        vault.importWrapped = original;
        const imported = await original(...args);
        vault.putForeign(name, foreignKey);
        return imported;
      };
    },
    outcome: agreement(2, { name: 'a report', warns: below, notes: below, shows: '1 foreign 2' }),
  },
  {
    name: 'the key removed with somebody’s version on top',
    after: async ({ vault, kmsName, foreignKey, removeFromVault }) => {
      vault.putForeign(await kmsName(), foreignKey);
      await removeFromVault();
    },
    outcome: {
      name: 'refusal',
      warns: /that Keyfleet did not make; it is not deleted/,
      states: ['unknown', 'unknown'],
      notes: /it is not deleted/,
      shows: '1 2 foreign',
    },
  },
  {
    name: 'the key removed with somebody’s version below ours',
    after: async ({ vault, kmsName, foreignKey, rotate, settle, removeFromVault }) => {
      vault.putForeign(await kmsName(), foreignKey);
      await rotate();
      await settle();
      await removeFromVault();
    },
    outcome: {
      name: 'refusal',
      warns: /it is not deleted/,
      states: ['unknown', 'unknown', 'unknown'],
      notes: /it is not deleted/,
      shows: '1 2 foreign 3',
    },
  },
  {
    name: 'somebody’s version with the tags of our newest',
    after: async ({ vault, kmsName, foreignKey, held }) =>
      vault.putForeign(await kmsName(), foreignKey, (await held())[1]?.tags),
    outcome: agreement(2, { name: 'a report', warns: /other key material/, notes: onTop, shows: '1 2 foreign' }),
  },
  {
    name: 'somebody’s version with the tags of the one to come',
    after: async ({ vault, kmsName, foreignKey, held, rotate }) => {
      vault.putForeign(await kmsName(), foreignKey, { ...(await held())[1]?.tags, 'keyfleet-version': '3' });
      await rotate();
    },
    outcome: agreement(3, {
      name: 'a report',
      warns: /other key material/,
      notes: /other key material/,
      shows: '1 2 foreign 3',
    }),
  },
  {
    name: 'the same on top of one of ours whose reply was lost',
    after: async (scene) => {
      await scene.rotate();
      await loseReplyOfImport(scene);
      for (const { reference } of scene.world.queue.splice(0)) await scene.house.reconcile(reference);
      const tags = { ...(await scene.held())[2]?.tags };
      scene.vault.putForeign(await scene.kmsName(), scene.foreignKey, tags);
    },
    outcome: agreement(3, { name: 'a report', warns: /other key material/, notes: onTop, shows: '1 2 3 foreign' }),
  },
  {
    name: 'our tags taken off by somebody while an import was lost on its way',
    after: async ({ world, house, rotate, fail, relent, change }) => {
      await rotate();
      fail('unknown-outcome', 'importWrapped');
      for (const { reference } of world.queue.splice(0)) await house.reconcile(reference);
      relent();
      for (const number of [1, 2]) await change(number, { tags: {} });
    },
    outcome: agreement(3, { name: 'repair' }),
  },
  {
    name: 'the key purged by somebody before an import whose reply was lost',
    after: async (scene) => {
      await scene.rotate();
      await scene.purgeKey();
      await loseReplyOfImport(scene);
      for (const { reference } of scene.world.queue.splice(0)) await scene.house.reconcile(reference);
    },
    outcome: {
      name: 'a report',
      warns: /version 1: it is not there/,
      states: ['missing', 'missing', 'confirmed'],
      shows: '3',
    },
  },
  {
    name: 'our newest once more',
    after: async ({ vault, kmsName, held }) => {
      const [, newest] = await held();
      if (newest) vault.putForeign(await kmsName(), newest.publicKey, newest.tags);
    },
    outcome: agreement(2, { name: 'a report', warns: /version 2/, shows: '1 2 2' }),
    until: async ({ rotate, setMinimum }) => {
      await rotate();
      await setMinimum(3);
    },
    then: agreement(3, { name: 'agreement with a duplicate', warns: /version 2/, shows: '1- 2- 2- 3' }),
  },
  {
    name: 'our newest once more, without tags',
    after: async ({ vault, kmsName, held }) => {
      const [, newest] = await held();
      if (newest) vault.putForeign(await kmsName(), newest.publicKey);
    },
    outcome: agreement(2, { name: 'a report', warns: onTop, notes: onTop, shows: '1 2 2!tags' }),
  },
  {
    name: 'our oldest once more, on top',
    after: async ({ vault, kmsName, held }) => {
      const [oldest] = await held();
      if (oldest) vault.putForeign(await kmsName(), oldest.publicKey, oldest.tags);
    },
    outcome: agreement(2, { name: 'a report', warns: /version 1/, shows: '1 2 1' }),
  },
  {
    name: 'an old version gone',
    after: ({ lose }) => lose(1),
    outcome: agreement(2, {
      name: 'a report',
      warns: /version 1: it is not there/,
      states: ['missing', 'confirmed'],
      shows: '2',
    }),
  },
  {
    name: 'the newest version gone',
    after: ({ lose }) => lose(2),
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'the newest version gone, and somebody’s in its place',
    after: async ({ lose, vault, kmsName, foreignKey }) => {
      await lose(2);
      vault.putForeign(await kmsName(), foreignKey);
    },
    outcome: agreement(2, { name: 'repair and report', warns: below, notes: below, shows: '1 foreign 2' }),
  },
];

describe('what somebody else has under our names', () => playOddities(names));
describe('what somebody else puts among our versions', () => playOddities(versions));
