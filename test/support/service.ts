import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KeyClient } from '@azure/keyvault-keys';
import { startAppHost } from '../../src/local/azure/app-host.ts';
import type { FunctionsHost, FunctionsHostOptions } from '../../src/local/functions-host/index.ts';
import { providerApplication, startPlatform, tenantId, type Platform } from '../../src/local/platform/index.ts';
import type { PlatformOptions } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import type { State } from '../../src/state/index.ts';
import { createRsaKeys } from './rsa-keys.ts';

/** An answer of the service. `body` is what JSON it held, `text` what was sent. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: {
    data?: Record<string, unknown> | null;
    errors?: string[];
    warnings?: string[] | null;
  } & Record<string, unknown>;
}

/** A request below `/v1/` with the root token. A body that is text or bytes is sent as it is, anything else as JSON. */
export type VaultCall = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

export interface HostChanges {
  settings?: Record<string, string | undefined>;
  disabledFunctions?: readonly string[];
  log?: FunctionsHostOptions['log'];
}

export interface Service {
  platform: Platform;
  host: FunctionsHost;
  vault: VaultCall;
  /** Another host of the same app. It stops with the service. */
  startHost(changes?: HostChanges): Promise<FunctionsHost>;
  stop(): Promise<void>;
}

export interface ServiceOptions extends HostChanges {
  platform?: PlatformOptions;
  /** Settings that depend on the platform, for the first host. */
  configure?: (platform: Platform) => Promise<Record<string, string>>;
}

const masterKey = 'master-key-of-the-tests';
const projectDirectory = fileURLToPath(new URL('../../', import.meta.url));

/** The platform, with the app as it was last built in one host. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const platform = await startPlatform({
    seed: seedRootToken,
    ...options.platform,
    vaultBehaviour: { generateRsaKey: createRsaKeys(), ...options.platform?.vaultBehaviour },
  });
  const hosts: FunctionsHost[] = [];
  const stop = async () => {
    await Promise.all(hosts.map((host) => host.stop()));
    await platform.stop();
  };
  async function startHost(changes: HostChanges = {}): Promise<FunctionsHost> {
    const host = await startAppHost({
      directory: projectDirectory,
      settings: changedSettings(platform.settings, changes),
      port: 0,
      serviceBusCredential: platform.serviceCredential,
      masterKey,
      ...(changes.log && { log: changes.log }),
    });
    hosts.push(host);
    return host;
  }
  try {
    const configured = await options.configure?.(platform);
    const host = await startHost({ ...options, settings: { ...configured, ...options.settings } });
    return { platform, host, vault: vaultOf(host, platform.rootToken), startHost, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function changedSettings(
  base: Readonly<Record<string, string>>,
  { settings = {}, disabledFunctions = [] }: HostChanges,
): Record<string, string> {
  const disabled = disabledFunctions.map((name) => [`AzureWebJobs.${name}.Disabled`, 'true'] as const);
  const all = Object.entries({ ...base, ...settings, ...Object.fromEntries(disabled) });
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

export function vaultOf(host: Pick<FunctionsHost, 'url'>, token: string): VaultCall {
  return async (method, path, body, headers = {}) => {
    const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await fetch(`${host.url}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token, ...headers },
      ...(body !== undefined && { body: sent as NonNullable<RequestInit['body']> }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parse(text) };
  };
}

function parse(text: string): Answer['body'] {
  return text === '' ? {} : (JSON.parse(text) as Answer['body']);
}

/** Has the host run the timer now. */
export async function runTimer(host: FunctionsHost, name: string): Promise<void> {
  const { status } = await fetch(`${host.url}/admin/functions/${name}`, {
    method: 'POST',
    headers: { 'X-Functions-Key': masterKey },
  });
  if (status !== 202) throw new Error(`the host did not run ${name}: ${status}`);
}

/** Credentials of the application that may distribute to every vault. */
export function providerCredentials(changes: Record<string, string> = {}): Record<string, string> {
  const clientSecret = providerApplication.secrets?.[0]?.value ?? '';
  return { tenant_id: tenantId, client_id: providerApplication.clientId, client_secret: clientSecret, ...changes };
}

/** The fields that a provider for one vault is written with. */
export function providerFields(keyCollection: string, credentials = providerCredentials()): Record<string, unknown> {
  return { provider: 'azurekeyvault', key_collection: keyCollection, credentials };
}

/** Somebody who may do everything in the vault, with the real client. */
export function keyClient({ vaults, developer }: Platform, vaultName: string): KeyClient {
  const url = vaults.get(vaultName);
  if (url === undefined) throw new Error(`the platform has no vault ${vaultName}`);
  return new KeyClient(url, developer.credential, { disableChallengeResourceVerification: true });
}

/** The uuid by which state names a mount. @param path with its trailing slash */
export async function mountUuid(state: State, path: string): Promise<string> {
  const { mounts } = await state.mounts.read();
  const mount = mounts.find((entry) => entry.path === path);
  if (mount === undefined) throw new Error(`there is no mount ${path}`);
  return mount.uuid;
}

/**
 * Looks again and again until there is something to see.
 * @param look answers undefined or false, or rejects, for "not yet"
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMilliseconds = 15_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMilliseconds;
  let last: unknown;
  for (let pause = 10; performance.now() < deadline; pause = Math.min(pause * 2, 100)) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (error) {
      last = error;
    }
    await sleep(pause);
  }
  throw new Error(`${what} did not happen in ${deadlineMilliseconds} ms`, { cause: last });
}
