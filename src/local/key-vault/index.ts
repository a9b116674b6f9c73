import type { IncomingMessage, ServerResponse } from 'node:http';
import { deserialize, serialize } from 'node:v8';
import type { Faults } from '../faults.ts';
import type { VerifyToken } from '../principals.ts';
import type { AccessPolicyGrant, RoleGrant } from './access.ts';
import { createBackups, type Backups } from './backups.ts';
import type { KeyVaultCall } from './calls.ts';
import type { GenerateMaterial } from './keys/create.ts';
import { generateMaterial, generateRsaKey, type GenerateRsaKey } from './keys/key-material.ts';
import { createDueRotations } from './keys/rotation.ts';
import { keyRoutes } from './keys/routes.ts';
import { createTaskLimit } from './keys/task-limit.ts';
import { listen, type Listener } from './listener.ts';
import { createRouter } from './router.ts';
import { secretRoutes } from './secrets/routes.ts';
import { inspectVault, type VaultInspection } from './inspection.ts';
import { createServe } from './serve.ts';
import { createThrottle } from './throttle.ts';
import type { ThrottleOptions } from './vault-limits.ts';
import { createVault, type Vault, type VaultContents, type VaultOptions } from './vault.ts';

export type { AccessPolicyGrant, RoleGrant, VaultAccess } from './access.ts';
export type { KeyVaultCall } from './calls.ts';
export type { InspectedKey, InspectedKeyVersion, VaultInspection } from './inspection.ts';
export { serviceLimits, type ThrottleOptions, type VaultLimits } from './vault-limits.ts';
export type { VaultOptions } from './vault.ts';

export interface KeyVaultOptions {
  vaults: readonly VaultOptions[];
  /** PEM; `cert` may be a chain. It must hold `localhost` and `*.<dns suffix>`. */
  tls: { key: string; cert: string };
  verify: VerifyToken;
  /** Where the challenge sends callers for a token: `<authorityHost>/<tenant>`. */
  authorityHost: string;
  faults: Faults;
  now: () => Date;
  /** Of the listener that all vaults share; 0, the default, for any that is free. */
  port?: number;
  /** How long a deletion, and a purge, is in progress. Measured with `now`: a clock that stands still needs 0 here. */
  deletionLagMilliseconds?: number;
  /** How long a recovery is in progress. Measured with `now`. */
  recoveryLagMilliseconds?: number;
  /** Lets encrypt, wrapKey and verify work with a disabled key. It is contested whether the service does. */
  disabledKeysStillUsePublicKey?: boolean;
  /** Where RSA keys come from; each is generated, which takes its time, unless this is given. */
  generateRsaKey?: GenerateRsaKey;
  /** Limits calls to all vaults as the service does; absent: no limits but a vault's own. Measured with `now`. */
  throttle?: ThrottleOptions;
  /** What an earlier {@link KeyVaultStandIn.snapshot} returned; vaults are matched by name. */
  snapshot?: Uint8Array;
}

export interface KeyVaultStandIn {
  /** Of the listener that all vaults share, told apart by host name. */
  readonly port: number;
  /** By name. */
  readonly vaults: ReadonlyMap<string, VaultAddress>;
  /** In the order in which they ended. */
  readonly calls: readonly KeyVaultCall[];
  /** Told of every call when it has ended, before it is answered. @returns a function that ends this */
  onCall(listener: (call: KeyVaultCall) => void): () => void;
  /** @throws Error for a vault that doesn't exist */
  control(vaultName: string): VaultControl;
  /** @throws Error for a vault that doesn't exist */
  inspect(vaultName: string): VaultInspection;
  /** All contents of all vaults, private keys in the clear: for a later start. */
  snapshot(): Buffer;
  stop(): Promise<void>;
}

export interface VaultAddress {
  name: string;
  /** `https://localhost:<port of its own>`: for clients whose resolver doesn't know names below `localhost`. */
  url: string;
  /** `https://<name>.<dns suffix>:<shared port>` */
  uri: string;
}

/** What Azure's control plane does to a vault. */
export interface VaultControl {
  /** Replaces what the principal may do; the grant must be of the vault's model. @throws Error for unknown permissions */
  setAccess(principalObjectId: string, grant: AccessPolicyGrant | RoleGrant): void;
  removeAccess(principalObjectId: string): void;
  /** Lets only these client addresses through; undefined: all. */
  setFirewall(allowedAddresses: readonly string[] | undefined): void;
  /** From now on the vault has these limits; undefined: those that all vaults have, if any. */
  setThrottle(throttle: ThrottleOptions | undefined): void;
  /** Continuous access evaluation: every token that the vault has seen is refused from now on. */
  revokeTokens(): void;
}

const defaultLagMilliseconds = 40;
const generationsAtOnce = 2;

/** Starts vaults on loopback that speak Key Vault's data plane over HTTPS. */
export async function startKeyVault(options: KeyVaultOptions): Promise<KeyVaultStandIn> {
  const limit = createTaskLimit(generationsAtOnce);
  const generate: GenerateMaterial = (spec) =>
    limit(() => generateMaterial(spec, options.generateRsaKey ?? generateRsaKey));
  const calls: KeyVaultCall[] = [];
  const listeningToCalls = new Set<(call: KeyVaultCall) => void>();
  const serve = createServe({
    ...options,
    match: createRouter([...keyRoutes(generate), ...secretRoutes()]),
    prepare: createDueRotations(generate),
    charge: createThrottle(options.throttle, options.now),
    record(call) {
      calls.push(call);
      for (const listener of listeningToCalls) listener(call);
    },
  });
  const respond = (vault: Vault) => (request: IncomingMessage, response: ServerResponse) =>
    void serve(vault, request, response).catch(() => request.socket.destroy());

  const stored = options.snapshot ? (deserialize(options.snapshot) as Snapshot) : undefined;
  const backups = createBackups(stored?.backupKey);
  const environment = {
    backups,
    now: options.now,
    deletionLagMilliseconds: options.deletionLagMilliseconds ?? defaultLagMilliseconds,
    recoveryLagMilliseconds: options.recoveryLagMilliseconds ?? defaultLagMilliseconds,
    disabledKeysStillUsePublicKey: options.disabledKeysStillUsePublicKey ?? false,
  };
  const listeners: Listener[] = [];
  const stop = async () => {
    await Promise.all(listeners.map((listener) => listener.stop()));
  };
  const open = async (port: number): Promise<Listener> => {
    const listener = await listen(options.tls, port);
    listeners.push(listener);
    return listener;
  };
  const vaults = new Map<string, Vault>();
  const openVault = async (vaultOptions: VaultOptions): Promise<void> => {
    const listener = await open(vaultOptions.port ?? 0);
    const vault = createVault(vaultOptions, environment, listener.port, stored?.vaults.get(vaultOptions.name));
    vaults.set(vault.name, vault);
    listener.onRequest(respond(vault));
  };
  const shared = await open(options.port ?? 0);
  try {
    for (const vaultOptions of options.vaults) await openVault(vaultOptions);
  } catch (error) {
    await stop();
    throw error;
  }
  const existing = (vaultName: string): Vault => {
    const vault = vaults.get(vaultName);
    if (!vault) throw new Error(`There is no vault '${vaultName}'.`);
    return vault;
  };
  const byHostname = new Map([...vaults.values()].map((vault) => [vault.hostname, vault]));
  shared.onRequest((request, response) => {
    const vault = byHostname.get((request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase());
    // A vault that doesn't exist has no address at all, so there is nobody to answer.
    if (vault) respond(vault)(request, response);
    else request.socket.destroy();
  });

  return {
    port: shared.port,
    vaults: new Map(
      [...vaults.values()].map(({ name, hostname, ownPort }) => [
        name,
        { name, url: `https://localhost:${ownPort}`, uri: `https://${hostname}:${shared.port}` },
      ]),
    ),
    calls,
    onCall(listener) {
      listeningToCalls.add(listener);
      return () => void listeningToCalls.delete(listener);
    },
    control: (vaultName) => controlOf(existing(vaultName)),
    inspect: (vaultName) => inspectVault(existing(vaultName)),
    snapshot: () => snapshotOf(vaults, backups),
    stop,
  };
}

interface Snapshot {
  vaults: Map<string, VaultContents>;
  backupKey?: Buffer;
}

function snapshotOf(vaults: ReadonlyMap<string, Vault>, backups: Backups): Buffer {
  const backupKey = backups.privateKey();
  const contents = [...vaults].map(([name, { keys, secrets }]): [string, VaultContents] => [
    name,
    { keys: keys.contents(), secrets: secrets.contents() },
  ]);
  const snapshot: Snapshot = { vaults: new Map(contents), ...(backupKey ? { backupKey } : {}) };
  return serialize(snapshot);
}

function controlOf(vault: Vault): VaultControl {
  return {
    setAccess: (principalObjectId, grant) => vault.access.set(principalObjectId, grant),
    removeAccess: (principalObjectId) => vault.access.remove(principalObjectId),
    setFirewall: (allowedAddresses) => void (vault.allowedAddresses = allowedAddresses),
    setThrottle: (throttle) => void (vault.throttle = throttle),
    revokeTokens: () => vault.sessions.revokeAll(),
  };
}
