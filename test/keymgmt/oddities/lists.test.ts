import { describe } from 'vitest';
import { AzureFailure } from '../../../src/azure-failure.ts';
import type { KeyItem } from '../../../src/key-vault/target-vault.ts';
import { agreement, playOddities, type Oddity } from '../../support/oddity-cases.ts';
import type { OddityScene } from '../../support/oddity-scene.ts';

/** What the vault makes of the pages of its list of keys. */
function bend({ vault }: OddityScene, pages: (pages: readonly (readonly KeyItem[])[]) => readonly KeyItem[][]): void {
  const original = vault.listKeys;
  vault.listKeys = async function* () {
    const all: (readonly KeyItem[])[] = [];
    for await (const page of original()) all.push(page);
    yield* pages(all);
  };
}

/** Somebody else's keys, enough for three pages, before and after ours. */
function fill({ vault, foreignKey }: OddityScene): void {
  for (let index = 0; index < 60; index++) vault.putForeign(`other-${index}`, foreignKey);
}

const others = Array.from({ length: 60 }, () => 'foreign');

function breakOffAfter({ vault }: OddityScene, pages: number): void {
  const original = vault.listKeys;
  vault.listKeys = async function* () {
    let count = 0;
    for await (const page of original()) {
      if (count++ === pages) throw new AzureFailure('unavailable', 'the page was lost');
      yield page;
    }
  };
}

const lists: Oddity[] = [
  {
    name: 'versions in reverse',
    versions: 3,
    after: ({ vault }) => {
      const original = vault.listVersions;
      vault.listVersions = async (name) => (await original(name)).reverse();
    },
    outcome: agreement(3),
  },
  {
    name: 'versions in reverse, somebody’s among them and all of one second',
    versions: 3,
    during: async ({ vault, kmsName, foreignKey, settle }) => {
      await settle();
      vault.putForeign(await kmsName(), foreignKey);
      const original = vault.listVersions;
      const createdTime = new Date('2026-01-01T00:00:00Z');
      vault.listVersions = async (name) => (await original(name)).reverse().map((one) => ({ ...one, createdTime }));
    },
    outcome: agreement(3, {
      name: 'a report',
      warns: /the newest version was not made by Keyfleet/,
      notes: /the newest version was not made by Keyfleet/,
      shows: '1 2 3 foreign',
    }),
  },
  {
    name: 'one second for everything, and an old version disabled',
    versions: 3,
    minimum: 2,
    after: ({ vault, change }) => {
      const original = vault.listVersions;
      const createdTime = new Date('2026-01-01T00:00:00Z');
      vault.listVersions = async (name) => (await original(name)).map((one) => ({ ...one, createdTime }));
      return change(2, { enabled: false });
    },
    outcome: agreement(3, { name: 'repair', shows: '1- 2 3' }),
  },
  {
    name: 'keys in reverse',
    before: fill,
    after: (scene) => bend(scene, (pages) => pages.map((page) => [...page].reverse()).reverse()),
    outcome: agreement(2, { beside: others }),
  },
  {
    name: 'an empty page and then another',
    before: fill,
    after: (scene) => bend(scene, (pages) => pages.flatMap((page) => [[], [...page], []])),
    outcome: agreement(2, { beside: others }),
  },
  {
    name: 'nothing but empty pages',
    after: (scene) => bend(scene, () => [[], [], []]),
    outcome: agreement(2),
  },
  {
    name: 'a page that is silently left out',
    before: fill,
    after: (scene) => bend(scene, (pages) => pages.slice(0, -1).map((page) => [...page])),
    outcome: agreement(2, { beside: others }),
  },
  {
    name: 'a key on two pages',
    after: (scene) => bend(scene, (pages) => [...pages, ...pages].map((page) => [...page])),
    outcome: agreement(2),
  },
  {
    name: 'a page as it was before somebody disabled the key',
    after: async (scene) => {
      const stale: KeyItem[] = [];
      for await (const page of scene.vault.listKeys()) stale.push(...page);
      bend(scene, () => [stale]);
      await scene.change(2, { enabled: false });
    },
    // The list of versions is what shows it, once a day.
    outcome: agreement(2, { name: 'repair' }),
  },
  {
    name: 'a page that still shows a key that is deleted',
    after: async (scene) => {
      const stale: KeyItem[] = [];
      for await (const page of scene.vault.listKeys()) stale.push(...page);
      bend(scene, () => [stale]);
      await scene.deleteKey();
    },
    outcome: agreement(2, { name: 'recovery', notes: /Keyfleet recovered it/ }),
  },
  {
    name: 'the last page of three lost, and the key deleted',
    before: fill,
    after: async (scene) => {
      breakOffAfter(scene, 2);
      await scene.deleteKey();
    },
    outcome: {
      name: 'unknown, with its age',
      warns: '',
      failure: /the page was lost/,
      states: ['unknown', 'unknown'],
      shows: '',
      beside: others,
    },
  },
  {
    name: 'the list of versions lost in its middle, and a version altered',
    after: ({ fail, change }) => {
      fail('unavailable', 'listVersions');
      return change(2, { tags: {} });
    },
    outcome: {
      name: 'doubt, with its age',
      warns: '',
      notes: /it could not be read the last time/,
      states: ['unknown', 'unknown'],
      shows: '1 2!tags',
    },
    until: ({ relent }) => relent(),
    then: agreement(2, { name: 'repair' }),
  },
  {
    name: 'versions without any of ours, though ours are there',
    after: ({ vault }) => {
      vault.listVersions = async () => [];
    },
    outcome: agreement(2),
  },
  {
    name: '510 versions of somebody else on top',
    after: async ({ vault, kmsName, foreignKey }) => {
      const name = await kmsName();
      for (let count = 0; count < 510; count++) vault.putForeign(name, foreignKey);
    },
    outcome: agreement(2, {
      name: 'a report',
      warns: /the newest version was not made by Keyfleet/,
      notes: /the newest version was not made by Keyfleet/,
      shows: `1 2 ${Array.from({ length: 510 }, () => 'foreign').join(' ')}`,
    }),
  },
  {
    name: '505 versions of ours, all of them disabled by somebody',
    versions: 505,
    after: async ({ change }) => {
      for (let number = 1; number <= 505; number++) await change(number, { enabled: false });
    },
    outcome: agreement(505, { name: 'repair' }),
  },
  {
    name: '205 versions of ours, purged',
    versions: 205,
    after: ({ purgeKey }) => purgeKey(),
    outcome: agreement(205, { name: 'import anew', notes: /gone for good/ }),
  },
];

describe('what lists may come up with', () => playOddities(lists));
