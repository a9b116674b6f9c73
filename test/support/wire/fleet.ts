import { deserialize, serialize } from 'node:v8';
import { keyExchangeKeyTag } from '../../../src/key-vault/key-exchange-key.ts';
import { createTargetVault, type Patience, type TargetVault } from '../../../src/key-vault/target-vault.ts';
import { createCertificates } from '../../../src/local/certificates.ts';
import { createFaults } from '../../../src/local/faults.ts';
import { startKeyVault, type InspectedKey, type KeyVaultStandIn } from '../../../src/local/key-vault/index.ts';
import { ownerOf } from '../../../src/reconcile/target.ts';
import { tagNames } from '../../../src/reconcile/version-marks.ts';
import { fixtures } from '../fixtures.ts';
import { mount, providerNames } from '../invariants.ts';
import { newPrincipal, tenantId, trust } from '../stand-ins.ts';
import type { Plan } from './faults.ts';
import { startFaultProxy, type FaultProxy, type WireAnswer, type WireRequest } from './fault-proxy.ts';

/** Two vaults that nobody has used yet, one for each provider, with what other people keep there. */
export interface FreshVaults {
  /** By provider. */
  names: ReadonlyMap<string, string>;
  /** A vault as the service reaches it. */
  open(name: string): TargetVault;
  inspect(name: string): InspectedKey[];
  /** From now on `observer` sees what is sent to any vault, and the vaults have its clock. */
  watch(observer: WireObserver): void;
  /** Lets the calls of the service suffer this from now on. */
  suffer(plan: Plan): void;
}

export interface WireObserver {
  now: () => Date;
  before: (request: WireRequest) => Promise<void>;
  troubled: (host: string) => void;
  delivered: (request: WireRequest, answer: WireAnswer) => void;
}

export interface Fleet {
  proxy: FaultProxy;
  fresh(sku: Sku): Promise<FreshVaults>;
  stop(): Promise<void>;
}

export type Sku = 'premium' | 'standard';

const domain = 'vault.faults.localhost';
/** Vaults that one start of the stand-in has. */
const vaultsAtOnce = 40;
const foreignKeys = 27;
const credential = { getToken: async () => ({ token: 'token', expiresOnTimestamp: Date.now() + 3_600_000 }) };

/** Name of the key exchange key that each provider has in its vault. */
export const exchangeKeyName = (provider: string) => `keyfleet-kek-1-${provider}`;

/** Vaults behind one proxy, over TLS, as many as are asked for. */
export async function startFleet(): Promise<Fleet> {
  const [good, unknown, misnamed] = await Promise.all([
    createCertificates({ dnsNames: [`*.${domain}`] }),
    createCertificates(),
    createCertificates(),
  ]);
  trust(good);
  trust(misnamed);
  const principal = newPrincipal();
  const permissions = ['create', 'delete', 'get', 'import', 'update', 'list', 'recover'];
  let observer: WireObserver = {
    now: () => new Date(),
    before: async () => undefined,
    troubled: () => undefined,
    delivered: () => undefined,
  };
  const proxy = await startFaultProxy({
    domain,
    certificates: { good, unknown, misnamed },
    before: (request) => observer.before(request),
    troubled: (host) => observer.troubled(host),
    delivered: (request, answer) => observer.delivered(request, answer),
  });
  // A silence is noticed soon while there are faults; without them, a busy machine isn't one.
  const patience: Patience = {
    get readMilliseconds() {
      return proxy.isFaulty ? 150 : 10_000;
    },
    get changeMilliseconds() {
      return proxy.isFaulty ? 150 : 15_000;
    },
    retryMilliseconds: 1,
  };
  const open = (name: string) =>
    createTargetVault({ name, url: `https://${name}.${domain}:${proxy.port}`, credential, patience });

  const start = (names: readonly string[], sku: Sku, snapshot?: Uint8Array) =>
    startKeyVault({
      vaults: names.map((name) => ({
        ...{ name, sku, tenantId, dnsSuffix: domain },
        access: { model: 'access-policy', grants: { [principal.objectId]: { keys: permissions } } },
      })),
      tls: { key: good.privateKey, cert: good.certificate },
      verify: async () => principal,
      authorityHost: 'https://login.localhost',
      faults: createFaults(),
      now: () => observer.now(),
      deletionLagMilliseconds: 0,
      recoveryLagMilliseconds: 0,
      ...(snapshot !== undefined && { snapshot }),
    });

  async function furnish(sku: Sku): Promise<unknown> {
    const keyVault = await start(['model'], sku);
    proxy.begin([], keyVault.port);
    const vault = open('model');
    const der = fixtures().foreignKey.export({ type: 'pkcs8', format: 'der' });
    const put = (name: string, tags: Record<string, string>) =>
      vault.importPlain(name, der, {
        ...{ operations: ['sign'], enabled: true, tags },
        deadline: new Date(Date.now() + 60_000),
      });
    // More than fit on one page of a list.
    for (let number = 0; number < foreignKeys; number++) await put(`theirs-${number}`, { team: 'another' });
    await put('theirs-0', {});
    // It bears the tag of a provider, and belongs to nothing.
    await put('a-1', { [tagNames.owner]: ownerOf(mount, 'p', 'a'), [tagNames.version]: '1' });
    for (const provider of sku === 'premium' ? providerNames : []) {
      await vault.createKeyExchangeKey(exchangeKeyName(provider), { [keyExchangeKeyTag]: ownerOf(mount, provider) });
    }
    const snapshot = deserialize(keyVault.snapshot()) as { vaults: Map<string, unknown> };
    await keyVault.stop();
    return snapshot.vaults.get('model');
  }

  const models = { premium: await furnish('premium'), standard: await furnish('standard') };
  const running = new Map<Sku, { keyVault: KeyVaultStandIn; unused: string[] }>();
  let made = 0;

  async function withUnused(sku: Sku) {
    const current = running.get(sku);
    if (current !== undefined && current.unused.length >= providerNames.length) return current;
    await current?.keyVault.stop();
    const unused = Array.from({ length: vaultsAtOnce }, () => `vault-${++made}`);
    const vaults = new Map(unused.map((name) => [name, models[sku]]));
    const started = { keyVault: await start(unused, sku, serialize({ vaults })), unused };
    running.set(sku, started);
    return started;
  }

  return {
    proxy,
    async fresh(sku) {
      proxy.cut();
      const { keyVault, unused } = await withUnused(sku);
      const names = new Map(providerNames.map((provider) => [provider, unused.shift() ?? '']));
      proxy.begin([], keyVault.port);
      return {
        names,
        open,
        watch: (given) => void (observer = given),
        inspect: (name) => keyVault.inspect(name).keys(),
        suffer: (plan) => proxy.begin(plan, keyVault.port),
      };
    },
    async stop() {
      await proxy.stop();
      await Promise.all([...running.values()].map(({ keyVault }) => keyVault.stop()));
    },
  };
}
