import { describe } from 'vitest';
import { agreement, playOddities, type Deed, type Oddity, type Outcome } from '../../support/oddity-cases.ts';
import { provider, type OddityScene } from '../../support/oddity-scene.ts';
import type { VersionAttributes } from '../../../src/key-vault/target-vault.ts';

const kekName = async ({ house }: OddityScene) => (await house.state.providers.read(provider))?.kekName ?? '';

function alterExchangeKey({ vault, exchangeKeyName }: OddityScene, changes: Partial<VersionAttributes>): void {
  const [held] = vault.held.get(exchangeKeyName()) ?? [];
  if (held) vault.change(exchangeKeyName(), held.version, changes);
}

/** The exchange key is needed where the key itself has to come back. */
const needed =
  (deed: Deed): Deed =>
  async (scene) => {
    await deed(scene);
    await scene.purgeKey();
  };
const unfit = (why: RegExp): Outcome => ({
  name: 'refusal',
  warns: why,
  states: ['refused', 'refused'],
  notes: why,
  shows: '',
});
const anew = agreement(2, { name: 'import anew', notes: /gone for good/ });
const again: Deed = ({ distribute }) => distribute();

const oddities: Oddity[] = [
  {
    name: 'disabled',
    after: needed((scene) => alterExchangeKey(scene, { enabled: false })),
    outcome: unfit(/it is disabled/),
    until: async (scene) => {
      alterExchangeKey(scene, { enabled: true });
      await again(scene);
    },
    then: anew,
  },
  {
    name: 'without our tag',
    after: needed((scene) => alterExchangeKey(scene, { tags: {} })),
    outcome: unfit(/it was not made by this provider/),
  },
  {
    name: 'with the tag of another provider',
    after: needed((scene) => alterExchangeKey(scene, { tags: { 'keyfleet-kek': 'm/q' } })),
    outcome: unfit(/it was not made by this provider/),
  },
  {
    name: 'with operations that would let somebody unwrap',
    after: needed((scene) => alterExchangeKey(scene, { operations: ['import', 'unwrapKey'] })),
    outcome: unfit(/only import is safe/),
    until: async (scene) => {
      alterExchangeKey(scene, { operations: ['import'] });
      await again(scene);
    },
    then: anew,
  },
  {
    name: 'without operations',
    after: needed((scene) => alterExchangeKey(scene, { operations: [] })),
    outcome: unfit(/it permits nothing/),
  },
  {
    name: 'deleted',
    after: needed(({ deleteKey, exchangeKeyName }) => deleteKey(exchangeKeyName())),
    outcome: anew,
  },
  {
    name: 'purged',
    after: needed(async ({ deleteKey, exchangeKeyName, vault }) => {
      const name = exchangeKeyName();
      await deleteKey(name);
      vault.purge(name);
    }),
    outcome: anew,
  },
  {
    name: 'replaced by somebody’s of the same name',
    after: needed(async ({ deleteKey, exchangeKeyName, vault, foreignKey }) => {
      const name = exchangeKeyName();
      await deleteKey(name);
      vault.purge(name);
      vault.putForeign(name, foreignKey);
    }),
    outcome: unfit(/it was not made by this provider/),
  },
  {
    name: 'replaced by somebody’s of the same name and with our tag',
    after: needed(async ({ deleteKey, exchangeKeyName, vault, foreignKey }) => {
      const name = exchangeKeyName();
      const [held] = vault.held.get(name) ?? [];
      await deleteKey(name);
      vault.purge(name);
      vault.putForeign(name, foreignKey, held?.tags);
    }),
    outcome: unfit(/its type is RSA, not RSA-HSM/),
  },
  {
    name: 'with somebody’s version on top',
    after: needed(({ exchangeKeyName, vault, foreignKey }) => vault.putForeign(exchangeKeyName(), foreignKey)),
    outcome: unfit(/it was not made by this provider/),
  },
  {
    name: 'its name taken by somebody, before',
    before: async (scene) => scene.vault.putForeign(await kekName(scene), scene.foreignKey),
    outcome: unfit(/it was not made by this provider/),
    until: async (scene) => {
      await scene.deleteKey(await kekName(scene));
      await again(scene);
    },
    then: agreement(2, { name: 'another name' }),
  },
  {
    name: 'its name held by a deleted key that is never purged, before',
    before: async (scene) => {
      scene.vault.putForeign(await kekName(scene), scene.foreignKey);
      await scene.deleteKey(await kekName(scene));
    },
    outcome: agreement(2, { name: 'another name' }),
  },
  {
    name: 'disabled between the look at it and the import',
    during: (scene) => {
      const original = scene.vault.importWrapped;
      scene.vault.importWrapped = (...args) => {
        scene.vault.importWrapped = original;
        alterExchangeKey(scene, { enabled: false });
        return original(...args);
      };
    },
    outcome: agreement(2),
  },
  {
    name: 'deleted between the look at it and the import',
    during: (scene) => {
      const original = scene.vault.importWrapped;
      scene.vault.importWrapped = async (...args) => {
        scene.vault.importWrapped = original;
        await scene.deleteKey(scene.exchangeKeyName());
        return original(...args);
      };
    },
    outcome: unfit(/the key exchange key is not here/),
    until: again,
    then: agreement(2),
  },
];

describe('what becomes of key exchange keys', () => playOddities(oddities));
