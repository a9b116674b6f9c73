import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { KeyClient } from '@azure/keyvault-keys';
import { createTargetVault, type TargetVault } from '../../src/key-vault/target-vault.ts';
import { keyExchangeKeyTag } from '../../src/key-vault/key-exchange-key.ts';
import { createCredential } from '../../src/local/azure/credential.ts';
import { startServices } from '../../src/local/azure/services.ts';
import { createFaults, type Fault as StandInFault } from '../../src/local/faults.ts';
import { queues } from '../../src/local/platform/queues.ts';
import { distributionQueue } from '../../src/messaging/index.ts';
import { ownerOf } from '../../src/reconcile/target.ts';
import { azureTables } from '../../src/state/index.ts';
import { fixtures } from './fixtures.ts';
import { strikeInProcess, type Fault, type Strike } from './interruptions.ts';
import { mount, providerNames } from './invariants.ts';
import { createRealQueue } from './real-queue.ts';
import { createRsaKeys } from './rsa-keys.ts';
import { newPrincipal, tenantId } from './stand-ins.ts';
import {
  permissions,
  watched,
  type HeldKey,
  type Person,
  type VaultContents,
  type Witness,
  type World,
} from './world.ts';

export interface RealWorlds {
  /** A world that starts empty but for key exchange keys, later than all before. */
  open(): Promise<World>;
  stop(): Promise<void>;
}

/**
 * Worlds over the real protocols: Table Storage, Key Vault and Service Bus through the rooms and clients that the service
 * itself has, against the stand-ins. All use the same vaults and queue, one after the other.
 */
export async function startRealWorlds({ vaults }: { vaults: readonly string[] }): Promise<RealWorlds> {
  let offset = 0;
  let opened = 0;
  const now = () => new Date(Date.now() + offset);
  const faults = createFaults();
  const [service, developer] = [newPrincipal(), newPrincipal()];
  const services = await startServices({
    tenants: [tenantId],
    applications: [],
    managedIdentities: [],
    resources: [{ audience: 'https://vault.localhost', tokenVersion: 1 }],
    vaults: vaults.map((name) => ({
      name,
      sku: 'premium',
      tenantId,
      access: {
        model: 'access-policy',
        grants: {
          [service.objectId]: { keys: permissions },
          [developer.objectId]: { keys: ['all'] },
        },
      },
    })),
    queues,
    authorize: () => true,
    authorityNames: [],
    certificateNames: [],
    loopbackNames: { domains: ['localhost'], zones: { 'vault.localhost': vaults.map((name) => name.toLowerCase()) } },
    faults,
    now,
    brokerNow: now,
    vaultBehaviour: { deletionLagMilliseconds: 0, recoveryLagMilliseconds: 0, generateRsaKey: createRsaKeys() },
  });
  const { entra, keyVault, broker } = services;
  const queue = createRealQueue({
    fullyQualifiedNamespace: `localhost:${broker.port}`,
    entra,
    principal: service,
    inspection: broker.queue(distributionQueue),
    now,
  });
  const openTable = azureTables({ endpoint: services.tables, credential: createCredential(entra, service) });
  const urlOf = (name: string) => keyVault.vaults.get(name)?.uri ?? '';
  const byProcess = (deadline: Date) => new Date(deadline.getTime() - offset);
  const openAs = (principal: typeof service) => {
    const credential = createCredential(entra, principal);
    return new Map(
      vaults.map((name) => [name, inTime(createTargetVault({ name, url: urlOf(name), credential }), byProcess)]),
    );
  };
  const [ofService, ofDeveloper] = [openAs(service), openAs(developer)];
  const credential = createCredential(entra, developer);
  const keyClients = new Map(vaults.map((name) => [name, new KeyClient(urlOf(name), credential)]));

  const strike: Strike = async (fault, call) => {
    if (call.room !== 'vault' || (fault === 'twice' && call.makes)) return strikeInProcess(fault, call);
    const remove = faults.add({ service: 'key-vault', times: 1, fault: standInFaults[fault] });
    try {
      return await call.perform();
    } finally {
      remove();
    }
  };

  function openAsPerson(name: string): Person {
    return {
      ...existing(ofDeveloper, name),
      async purgeKey(keyName) {
        await existing(keyClients, name).purgeDeletedKey(keyName);
      },
    };
  }

  /** What a world before this one left in the vault; making key exchange keys takes long, so one of each owner stays. */
  async function clear(name: string): Promise<void> {
    const person = openAsPerson(name);
    const owners = new Set<string>();
    for (const { name: keyName, deleted, versions } of keyVault.inspect(name).keys()) {
      const owner = versions[0]?.tags[keyExchangeKeyTag];
      const isKept = owner !== undefined && !deleted && versions.length === 1 && !owners.has(owner);
      if (isKept) owners.add(owner);
      else {
        if (!deleted) await person.deleteKey(keyName, { deadline: new Date(now().getTime() + 10_000) });
        await person.purgeKey(keyName);
      }
    }
  }

  async function open(): Promise<World> {
    const prefix = `world${++opened}`;
    // Locks and leases of worlds before this one are over.
    offset += 300_000;
    await queue.emptyQueue();
    for (const name of vaults) {
      keyVault.control(name).setAccess(service.objectId, { keys: permissions });
      await clear(name);
    }
    const witnesses = new Set<Witness>();
    const contents = (name: string): VaultContents =>
      new Map(
        keyVault
          .inspect(name)
          .keys()
          .filter((key) => !key.deleted)
          .map((key) => [key.name, key.versions.map(toHeldKey)]),
      );
    return {
      ...queue,
      now,
      pass: (seconds) => void (offset += seconds * 1000),
      openTable: (name) => openTable(prefix + name),
      openVault: (name) => watched(existing(ofService, name), { witnesses, contents: () => contents(name), now }),
      strike,
      vaultNames: () => vaults,
      contents,
      openAsPerson,
      permit: (name, allowed) => keyVault.control(name).setAccess(service.objectId, { keys: allowed }),
      async putForeign(name, keyName, tags = {}) {
        const der = fixtures().foreignKey.export({ type: 'pkcs8', format: 'der' });
        const deadline = new Date(now().getTime() + 60_000);
        const options = { operations: ['sign'], enabled: true, tags, deadline };
        await openAsPerson(name).importPlain(keyName, der, options);
      },
      async reuseExchangeKeys({ state }) {
        for (const provider of providerNames) {
          const reference = { mount, provider };
          const record = await state.providers.read(reference);
          if (record === undefined) continue;
          const made = keyVault.inspect(record.keyCollection).keys();
          const kek = made.find(({ versions }) => versions[0]?.tags[keyExchangeKeyTag] === ownerOf(mount, provider));
          if (kek !== undefined) await state.providers.update(reference, { ...record, kekName: kek.name });
        }
      },
      watch: (witness) => void witnesses.add(witness),
    };
  }

  return {
    open,
    async stop() {
      await queue.close();
      await services.stop();
    },
  };
}

function existing<T>(all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new Error(`there is no vault ${name}`);
  return found;
}

/** The same vault, told of deadlines by the clock that the process has: worlds are ahead of it. */
function inTime(vault: TargetVault, byProcess: (deadline: Date) => Date): TargetVault {
  const told = <T extends { deadline: Date }>(options: T): T => ({ ...options, deadline: byProcess(options.deadline) });
  return {
    ...vault,
    importWrapped: (keyName, blob, options) => vault.importWrapped(keyName, blob, told(options)),
    importPlain: (keyName, privateKey, options) => vault.importPlain(keyName, privateKey, told(options)),
    updateVersion: (keyName, version, attributes) => vault.updateVersion(keyName, version, told(attributes)),
    deleteKey: (keyName, options) => vault.deleteKey(keyName, told(options)),
    recoverKey: (keyName, options) => vault.recoverKey(keyName, told(options)),
  };
}

const standInFaults: Record<Exclude<Fault, 'slow'>, StandInFault> = {
  unavailable: { kind: 'reset' },
  throttled: { kind: 'throttle' },
  'throttled-briefly': { kind: 'throttle', retryAfterSeconds: 1 },
  forbidden: { kind: 'refuse', status: 403, code: 'Forbidden' },
  failed: { kind: 'fail-after-effect' },
  lost: { kind: 'drop-reply' },
  twice: { kind: 'twice' },
};

const encoded = new Map<string, string>();

/** A version in the Key Vault stand-in. */
export function toHeldKey({
  version,
  enabled,
  tags,
  operations,
  publicKey,
}: {
  version: string;
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
  operations: readonly string[];
  publicKey: object;
}): HeldKey {
  const known = encoded.get(version);
  const key = known ?? encode(publicKey as JsonWebKey);
  encoded.set(version, key);
  return { version, enabled, type: 'RSA', operations, tags, publicKey: key };
}

function encode(publicKey: JsonWebKey): string {
  return createPublicKey({ key: { kty: 'RSA', ...publicKey }, format: 'jwk' })
    .export({ type: 'spki', format: 'der' })
    .toString('base64');
}
