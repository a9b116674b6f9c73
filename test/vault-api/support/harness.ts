import type { Mount, MountStore } from '../../../src/state/mounts.ts';
import type { Token } from '../../../src/state/tokens.ts';
import type { LogEntry } from '../../../src/vault-api/log.ts';
import type { VaultRequest, VaultResponse } from '../../../src/vault-api/protocol.ts';
import { createVaultApi, type VaultApi, type VaultApiOptions } from '../../../src/vault-api/vault-api.ts';
import { createMemoryDeadLetters } from '../../support/memory-dead-letters.ts';
import {
  createMemoryLoginRoleStore,
  createMemoryMountStore,
  createMemoryPolicyStore,
  createMemoryTokenStore,
} from './memory-stores.ts';

export const rootToken = 'hvs.root-of-the-tests';
export const plainToken = 'hvs.token-without-rights';
export const start = new Date('2026-03-01T12:00:00.250Z');
export const clusterId = '7c4f7f2a-3f62-4f0e-9c1c-0a4c7b6d5e1f';

export interface CallOptions {
  /** Null: none is sent. */
  token?: string | null;
  headers?: Record<string, string>;
  /** Objects are sent as JSON, strings and buffers as they are. */
  body?: unknown;
}

export interface Answer extends VaultResponse {
  json: Record<string, unknown>;
}

export interface Harness {
  api: VaultApi;
  mounts: MountStore;
  log: LogEntry[];
  clock: { now: Date };
  putToken(token: string, overrides?: Partial<Token>): Promise<void>;
  /** @param target path and query as the host re-encodes them, e.g. `/v1/sys/mounts?list=true` */
  call(method: string, target: string, options?: CallOptions): Promise<Answer>;
}

export type HarnessOptions = Partial<
  Pick<VaultApiOptions, 'engines' | 'mounts' | 'deadLetters' | 'signIn' | 'existenceChecks' | 'requestsPerSecond'>
>;

export async function createHarness({
  mounts = createMemoryMountStore(),
  ...options
}: HarnessOptions = {}): Promise<Harness> {
  const tokens = createMemoryTokenStore();
  const log: LogEntry[] = [];
  const clock = { now: start };
  const api = createVaultApi({
    mounts,
    tokens,
    policies: createMemoryPolicyStore(),
    loginRoles: createMemoryLoginRoleStore(),
    signIn: { verify: async () => ({ ok: false, reason: 'malformed token' }) },
    engines: [],
    deadLetters: createMemoryDeadLetters(),
    ...options,
    version: '2.0.0+ent',
    clusterName: 'keyfleet-test',
    clusterId,
    now: () => clock.now,
    log: (entry) => void log.push(entry),
  });

  const harness: Harness = {
    api,
    mounts,
    log,
    clock,
    putToken: (token, overrides) => tokens.put(token, { ...tokenRecord, ...overrides }),
    async call(method, target, options = {}) {
      const response = await api.handle(hostRequest(method, target, options));
      return { ...response, json: JSON.parse(response.body ?? '{}') as Record<string, unknown> };
    },
  };
  await harness.putToken(rootToken);
  await harness.putToken(plainToken, { policies: ['default'], accessor: 'plain-accessor' });
  return harness;
}

/** The root token's. */
export const tokenRecord: Token = {
  accessor: 'root-accessor',
  displayName: 'root',
  policies: ['root'],
  path: 'auth/token/root',
  orphan: true,
  renewable: false,
  meta: null,
  createdTime: start,
  creationTtlSeconds: 0,
};

/** What the host makes of an ordinary request: headers in lower case, the length of the body, no body if it is empty. */
export function hostRequest(method: string, target: string, options: CallOptions = {}): VaultRequest {
  const { token = rootToken, headers = {}, body } = options;
  const bytes = toBytes(body);
  const sent = new Map<string, string>();
  if (token !== null) sent.set('x-vault-token', token);
  if (bytes !== undefined) sent.set('content-length', String(bytes.length));
  for (const [name, value] of Object.entries(headers)) sent.set(name.toLowerCase(), value);
  const path = target.split('?', 1)[0] ?? '';
  return {
    method,
    url: `https://keyfleet.example${target}`,
    ...(path === '/' ? {} : { pathParameter: decodeURIComponent(path.slice(1)) }),
    headers: { get: (name) => sent.get(name.toLowerCase()) ?? null },
    body: bytes === undefined || bytes.length === 0 ? null : bytes,
  };
}

function toBytes(body: unknown): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

export function sampleMount(overrides: Partial<Mount> = {}): Mount {
  return {
    path: 'keymgmt/',
    type: 'keymgmt',
    uuid: '0b6c1d5e-7a53-4bd0-8f35-5f5a2a3f9c11',
    accessor: 'keymgmt_5e1f0c2a',
    description: '',
    defaultLeaseTtlSeconds: 0,
    maxLeaseTtlSeconds: 0,
    forceNoCache: false,
    local: false,
    sealWrap: false,
    externalEntropyAccess: false,
    options: null,
    ...overrides,
  };
}
