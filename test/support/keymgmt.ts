import { expect } from 'vitest';
import { keyClient, type Answer, type Service } from './service.ts';
import { seeVersions, type SeenVersion } from './vault-contents.ts';

export interface KeyData {
  deletion_allowed: boolean;
  latest_version: number;
  min_enabled_version: number;
  name: string;
  type: string;
  versions: Record<string, { creation_time: string; public_key: string }>;
}

export interface DistributionData {
  distribution_time: string;
  name: string;
  protection: string;
  purpose: string;
  versions: Record<string, string>;
}

/** One Key Management mount, spoken to over HTTP. Paths are relative to the mount. */
export interface Keymgmt {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A write or delete that must go through without a word. */
  done(method: string, path: string, body?: unknown): Promise<void>;
  /** The data of a read that must find something, in an envelope that is as it should be. */
  read(path: string): Promise<Record<string, unknown>>;
  key(name: string): Promise<KeyData>;
  /** @param path `kms/<provider>/key/<key>` */
  distribution(path: string): Promise<DistributionData>;
  /** Names, or the whole body of a 404. */
  list(path: string): Promise<unknown>;
  /** The versions that a vault has of a distributed key, as its own client shows them. */
  seen(path: string, vaultName: string): Promise<SeenVersion[]>;
}

/** A time as Vault writes it: RFC 3339, with up to nine digits after the second. */
export const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);
export const publicKeyPem: unknown = expect.stringMatching(
  /^-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]+\n)+-----END PUBLIC KEY-----\n$/,
);
/** Key Vault's own name for a version. */
export const versionId: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);

const envelope: unknown = {
  request_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as unknown,
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: expect.any(Object) as unknown,
  wrap_info: null,
  warnings: null,
  auth: null,
  mount_type: 'keymgmt',
};

export function keymgmtAt({ platform, vault }: Pick<Service, 'platform' | 'vault'>, mount: string): Keymgmt {
  async function read(path: string): Promise<Record<string, unknown>> {
    const { status, body, headers } = await vault('GET', `${mount}/${path}`);
    expect({ path, status, type: headers.get('content-type') }).toEqual({
      path,
      status: 200,
      type: 'application/json',
    });
    expect(body).toEqual(envelope);
    return body.data ?? {};
  }
  const distribution = async (path: string) => (await read(path)) as unknown as DistributionData;

  return {
    send: (method, path, body, headers) => vault(method, `${mount}/${path}`, body, headers),
    async done(method, path, body) {
      const { status, text } = await vault(method, `${mount}/${path}`, body);
      expect({ path, status, text }).toEqual({ path, status: 204, text: '' });
    },
    read,
    key: async (name) => (await read(`key/${name}`)) as unknown as KeyData,
    distribution,
    async list(path) {
      const { status, body } = await vault('LIST', `${mount}/${path}`);
      return status === 404 ? body : body.data?.keys;
    },
    seen: async (path, vaultName) => seeVersions(keyClient(platform, vaultName), (await distribution(path)).name),
  };
}

/** The one error of a request that must have been refused as the caller's to mend. */
export function errorOf({ status, body, text }: Answer): string {
  expect({ status, text }).toMatchObject({ status: 400 });
  expect(body.errors).toHaveLength(1);
  return body.errors?.[0] ?? '';
}
