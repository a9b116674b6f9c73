import type { Table } from './table.ts';

/** What somebody else's token is exchanged for, and which of them it takes. Names follow Vault's roles. */
export interface LoginRole {
  /** Audiences that the role expects; empty where it isn't the role that says. */
  boundAudiences: readonly string[];
  /** Claim -> values of which the token must have one, for every claim. */
  boundClaims: Readonly<Record<string, readonly string[]>>;
  policies: readonly string[];
  noDefaultPolicy: boolean;
  /** Zero for the mount's own. */
  ttlSeconds: number;
  /** Beyond this no renewal goes; zero for the service's own limit. */
  maxTtlSeconds: number;
}

/** Roles of the auth mounts, and each mount's default role. */
export interface LoginRoleStore {
  /** @param mount name of the auth mount, e.g. `jwt` */
  find(mount: string, name: string): Promise<LoginRole | undefined>;
  /** In ordinal order. */
  list(mount: string): Promise<string[]>;
  put(mount: string, name: string, role: LoginRole): Promise<void>;
  remove(mount: string, name: string): Promise<void>;
  /** @returns the empty string if there is none */
  defaultRole(mount: string): Promise<string>;
  setDefaultRole(mount: string, name: string): Promise<void>;
}

const configRow = 'config';
const rolePartition = (mount: string) => `${mount}|role`;

export function createLoginRoleStore(table: Table): LoginRoleStore {
  return {
    async find(mount, name) {
      const entity = await table.get(rolePartition(mount), name);
      return entity && (JSON.parse(entity.properties.role as string) as LoginRole);
    },
    async list(mount) {
      return (await table.query(rolePartition(mount))).map(({ row }) => row);
    },
    async put(mount, name, role) {
      const properties = { role: JSON.stringify(role) };
      await table.transact(rolePartition(mount), [{ kind: 'upsert', row: name, properties }]);
    },
    async remove(mount, name) {
      // Removing what is gone is what was asked for.
      await table.transact(rolePartition(mount), [{ kind: 'remove', row: name }]);
    },
    async defaultRole(mount) {
      return ((await table.get(mount, configRow))?.properties.defaultRole as string | undefined) ?? '';
    },
    async setDefaultRole(mount, name) {
      await table.transact(mount, [{ kind: 'upsert', row: configRow, properties: { defaultRole: name } }]);
    },
  };
}
