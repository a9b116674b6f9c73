import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { serialize } from 'node:v8';
import type { KeyVersion } from '../../src/local/key-vault/keys/key-version.ts';
import type { StoredObject } from '../../src/local/key-vault/object-store.ts';
import { providerApplication, tenantId, type Platform, type PlatformVault } from '../../src/local/platform/index.ts';
import { digestOf } from '../../src/reconcile/drift/listing.ts';
import { tagsOf } from '../../src/reconcile/version-marks.ts';
import { azureTables } from '../../src/state/index.ts';
import {
  distributionProperties,
  distributionRow,
  keyPartition,
  keyProperties,
  keyRow,
  placementProperties,
  placementRow,
  versionProperties,
  versionRow,
} from '../../src/state/key-rows.ts';
import { heldPrefix, providerPartition } from '../../src/state/providers.ts';
import { maxActions, type Action, type Table } from '../../src/state/table.ts';
import { inTurns } from './in-turns.ts';
import { openState } from '../../src/local/open-state.ts';

/** As if `keyCount` keys with one version each had been distributed to a vault, through a provider of the same name. */
export interface Holding {
  vault: string;
  keyCount: number;
}

export interface HeldKeys {
  /** What the vaults have to hold from the start. */
  contents: Buffer;
  /** Writes the providers and what they hold, so that the first pass has everything to compare. Keys go to every vault. */
  writeUnseen(platform: Platform): Promise<void>;
  /**
   * The same, as a pass leaves it that has seen everything; the keys' own rows, which no later one reads as long as nothing
   * changes, are left out.
   */
  writeSeen(platform: Platform): Promise<void>;
}

/** What the keys' names begin with, in the service and in the vaults; then comes a number from 0 on. */
export const heldKeyPrefix = 'key-';

const pairCount = 8;
const requestsAtOnce = 4;
const purpose = ['sign'];

/** A vault whose keys the providers may list, too. */
export function heldVault(name: string): PlatformVault {
  const keys = ['create', 'delete', 'get', 'import', 'list', 'recover', 'update'];
  return { name, sku: 'premium', access: { [providerApplication.objectId]: { keys } } };
}

/** @param mount uuid; of no mount that there is, where nothing goes through the API */
export function createHeldKeys(mount: string, holdings: readonly Holding[]): HeldKeys {
  const time = new Date(Math.floor(Date.now() / 1000) * 1000);
  const seconds = time.getTime() / 1000;
  const pairs = Array.from({ length: pairCount }, () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
    return {
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }),
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
      numbers: { n, e },
    };
  });
  const versionIds = new Map(
    holdings.map(({ vault, keyCount }) => [
      vault,
      Array.from({ length: keyCount }, () => randomBytes(16).toString('hex')),
    ]),
  );

  function describe(vault: string, index: number) {
    const pair = pairs[index % pairCount];
    const kmsVersion = versionIds.get(vault)?.[index];
    if (pair === undefined || kmsVersion === undefined) throw new Error(`there is no key ${index} in ${vault}`);
    const key = `${heldKeyPrefix}${index}`;
    const distribution = {
      provider: vault,
      kmsName: `${key}-${seconds}`,
      purpose,
      protection: 'hsm',
      distributedTime: time,
      removing: false,
    };
    const version = { version: 1, createdTime: time, publicKey: pair.publicKey };
    return {
      ...{ pair, key, distribution, version },
      tags: tagsOf({ mount, key, provider: vault }, distribution, version),
      placement: {
        provider: vault,
        version: 1,
        kmsVersion,
        enabled: true,
        confirmedTime: time,
        updatedTime: time,
      },
    };
  }

  function toObject(vault: string, index: number): StoredObject<KeyVersion> {
    const { pair, distribution, placement, tags } = describe(vault, index);
    const newest: KeyVersion = {
      version: placement.kmsVersion,
      enabled: true,
      created: seconds,
      updated: seconds,
      tags,
      kty: 'RSA-HSM',
      keyOps: [...purpose],
      keySizeBits: 2048,
      publicKey: pair.numbers,
      privateKey: pair.privateKey,
    };
    return { name: distribution.kmsName, versions: new Map([[newest.version, newest]]), newest };
  }

  async function writeProviders(platform: Platform): Promise<void> {
    const { providers } = openState(platform);
    const { clientId, secrets = [] } = providerApplication;
    for (const { vault } of holdings) {
      await providers.create(
        { mount, provider: vault },
        {
          kind: 'azurekeyvault',
          keyCollection: vault,
          kekName: 'keyfleet-kek',
          createdTime: time,
          credentials: { tenant_id: tenantId, client_id: clientId, client_secret: secrets[0]?.value ?? '' },
        },
      );
    }
  }

  /** The rows of one key in all vaults. */
  function toKeyRows(index: number): Action[] {
    const all = holdings.filter(({ keyCount }) => index < keyCount).map(({ vault }) => describe(vault, index));
    const [first] = all;
    if (first === undefined) return [];
    const key = {
      type: 'rsa-2048',
      latestVersion: 1,
      minEnabledVersion: 0,
      deletionAllowed: false,
      createdTime: time,
      deleting: false,
    };
    return [
      { kind: 'insert', row: keyRow, properties: keyProperties(key) },
      { kind: 'insert', row: versionRow(1), properties: versionProperties(first.version) },
      ...all.flatMap(({ distribution, placement }): Action[] => [
        {
          kind: 'insert',
          row: distributionRow(distribution.provider),
          properties: distributionProperties(distribution),
        },
        {
          kind: 'insert',
          row: placementRow(placement.provider, 1),
          properties: placementProperties(placement),
        },
      ]),
    ];
  }

  async function writeHeld(platform: Platform, toProperties: (vault: string, index: number) => Record<string, string>) {
    const table = openTable(platform, 'providers');
    for (const { vault, keyCount } of holdings) {
      const actions = Array.from({ length: keyCount }, (_, index): Action => ({
        kind: 'insert',
        row: `${heldPrefix}${heldKeyPrefix}${index}`,
        properties: toProperties(vault, index),
      }));
      await changeAll(table, providerPartition({ mount, provider: vault }), actions);
    }
  }

  return {
    contents: serialize({
      vaults: new Map(
        holdings.map(({ vault, keyCount }) => {
          const objects = Array.from({ length: keyCount }, (_, index) => toObject(vault, index));
          const empty = { objects: [], purging: new Map() };
          return [vault, { keys: { objects, purging: new Map() }, secrets: empty }];
        }),
      ),
    }),

    async writeUnseen(platform) {
      await writeProviders(platform);
      const table = openTable(platform, 'keys');
      const most = Math.max(...holdings.map(({ keyCount }) => keyCount));
      await inTurns(requestsAtOnce, Array(most).keys(), async (index) => {
        await table.transact(keyPartition({ mount, key: `${heldKeyPrefix}${index}` }), toKeyRows(index));
      });
      await writeHeld(platform, () => ({}));
    },

    async writeSeen(platform) {
      await writeProviders(platform);
      await writeHeld(platform, (vault, index) => {
        const { distribution, tags } = describe(vault, index);
        const { kmsName } = distribution;
        return { kmsName, seen: digestOf({ name: kmsName, enabled: true, tags, updatedTime: time }) };
      });
      const { inspections } = openState(platform);
      for (const { vault } of holdings) {
        await inspections.write(
          { mount, provider: vault },
          {
            providerCreatedTime: time,
            thoroughTime: new Date(),
            mayList: true,
            drift: 'repair',
            extras: [],
            extraCount: 0,
          },
        );
      }
    },
  };
}

/** Changes rows of one partition, as many in each request as there may be. @throws Error if one was refused */
export async function changeAll(table: Table, partition: string, actions: readonly Action[]): Promise<void> {
  const starts = Array.from({ length: Math.ceil(actions.length / maxActions) }, (_, index) => index * maxActions);
  await inTurns(requestsAtOnce, starts.values(), async (start) => {
    const changed = await table.transact(partition, actions.slice(start, start + maxActions));
    if (!changed) throw new Error(`rows of ${partition} could not be changed`);
  });
}

export function openTable({ settings, serviceCredential }: Platform, name: string): Table {
  return azureTables({ endpoint: settings.KEYFLEET_TABLES_ENDPOINT ?? '', credential: serviceCredential })(name);
}
