import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import { ServiceBusClient } from '@azure/service-bus';
import { createTargetVault } from '../../src/key-vault/target-vault.ts';
import { keyExchangeKeyTag } from '../../src/key-vault/key-exchange-key.ts';
import { createCredential } from '../../src/local/azure/credential.ts';
import { startServices } from '../../src/local/azure/services.ts';
import { createFaults, type Fault as StandInFault } from '../../src/local/faults.ts';
import { queues } from '../../src/local/platform/queues.ts';
import { createMessaging, decodeMessage, distributionQueue } from '../../src/messaging/index.ts';
import { ownerOf } from '../../src/reconcile/target.ts';
import { azureTables } from '../../src/state/index.ts';
import { fixtures } from './fixtures.ts';
import { strikeInProcess, type Fault, type Strike } from './interruptions.ts';
import { mount, providerNames } from './invariants.ts';
import { createRsaKeys } from './rsa-keys.ts';
import { newPrincipal, tenantId } from './stand-ins.ts';
import { watched, type HeldKey, type VaultContents, type Witness, type World } from './world.ts';

export interface RealWorlds {
  /** A world that starts empty, later than all before. */
  open(): World;
  stop(): Promise<void>;
}

const distributorPermissions = ['create', 'delete', 'get', 'import', 'update', 'list', 'recover'];

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
          [service.objectId]: { keys: distributorPermissions },
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
  // The queue's clock runs ahead of that by which tokens are issued. Timers can't wait longer than 24 days.
  const credential: TokenCredential = {
    async getToken() {
      const exp = Math.floor(Date.now() / 1000) + 20 * 86_400;
      const token = await entra.issueToken(service, 'https://servicebus.azure.net', { exp });
      return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  };
  const fullyQualifiedNamespace = `localhost:${broker.port}`;
  const client = new ServiceBusClient(fullyQualifiedNamespace, credential, {
    retryOptions: { maxRetries: 0, timeoutInMs: 5000 },
  });
  const messaging = createMessaging({ fullyQualifiedNamespace, credential });
  const openTable = azureTables({ endpoint: services.tables, credential: createCredential(entra, service) });
  const openAs = (principal: typeof service) => {
    const as = createCredential(entra, principal);
    return new Map(
      vaults.map((name) => [
        name,
        createTargetVault({ name, url: keyVault.vaults.get(name)?.uri ?? '', credential: as }),
      ]),
    );
  };
  const [ofService, ofDeveloper] = [openAs(service), openAs(developer)];

  const strike: Strike = async (fault, call) => {
    if (call.room !== 'vault' || (fault === 'twice' && call.makes)) return strikeInProcess(fault, call);
    const remove = faults.add({ service: 'key-vault', times: 1, fault: standInFaults[fault] });
    try {
      return await call.perform();
    } finally {
      remove();
    }
  };

  function open(): World {
    const prefix = `world${++opened}`;
    // Names carry the second: what a world before this one deleted must not be in the way of this one.
    offset += 300_000;
    const earlier = new Map(
      vaults.map((name) => [
        name,
        new Set(
          keyVault
            .inspect(name)
            .keys()
            .map((key) => key.name),
        ),
      ]),
    );
    const witnesses = new Set<Witness>();
    const contents = (name: string): VaultContents =>
      new Map(
        keyVault
          .inspect(name)
          .keys()
          .filter((key) => !key.deleted && !earlier.get(name)?.has(key.name))
          .map((key) => [key.name, key.versions.map(toHeldKey)]),
      );
    return {
      now,
      pass: (seconds) => void (offset += seconds * 1000),
      openTable: (name) => openTable(prefix + name),
      openVault(name) {
        const vault = ofService.get(name);
        if (vault === undefined) throw new Error(`there is no vault ${name}`);
        return watched(vault, { witnesses, contents: () => contents(name), now });
      },
      messaging,
      async receive(index = 0) {
        const waiting = broker
          .queue(distributionQueue)
          .messages()
          .filter(({ state, locked }) => state === 'active' && !locked);
        const chosen = waiting[index % Math.max(1, waiting.length)];
        if (chosen?.sessionId === undefined) return undefined;
        const session = await client.acceptSession(distributionQueue, chosen.sessionId, {
          maxAutoLockRenewalDurationInMs: 0,
        });
        const [message] = await session.receiveMessages(1, { maxWaitTimeInMs: 2000 });
        const decoded = decodeMessage(message?.body);
        const reference = decoded?.kind === 'distribution' ? decoded.reference : undefined;
        if (message === undefined || reference === undefined) {
          await session.close();
          return undefined;
        }
        // A lock that was lost meanwhile can't be given back, and the message comes again.
        const end = async (settle: Promise<void>) => {
          await settle.catch(() => undefined);
          await session.close();
        };
        return {
          reference,
          complete: () => end(session.completeMessage(message)),
          abandon: () => end(session.abandonMessage(message)),
          drop: () => session.close(),
        };
      },
      queued() {
        const { active, scheduled } = broker.queue(distributionQueue);
        return active + scheduled;
      },
      strike,
      vaultNames: () => vaults,
      contents,
      async putForeign(name, keyName, tags) {
        const der = fixtures().foreignKey.export({ type: 'pkcs8', format: 'der' });
        const options = { operations: ['sign'], enabled: true, tags, deadline: new Date(Date.now() + 60_000) };
        await ofDeveloper.get(name)?.importPlain(keyName, der, options);
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
      await client.close();
      await services.stop();
    },
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

function toHeldKey({
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
