import type { Mount, MountStore } from '../../../src/state/mounts.ts';
import { createLoginRoleStore, type LoginRoleStore } from '../../../src/state/login-roles.ts';
import { createPolicyStore, type PolicyStore } from '../../../src/state/policies.ts';
import { createMemoryTable } from '../../support/memory-table.ts';
import type { Token, TokenStore } from '../../../src/state/tokens.ts';

/** The mount table in memory, with the same rule: changes are made at the revision that was read, or not at all. */
export function createMemoryMountStore(initial: readonly Mount[] = []): MountStore {
  let mounts = [...initial];
  let revision = 0;

  function change(expected: string, changed: () => Mount[]): boolean {
    if (expected !== String(revision)) return false;
    mounts = changed();
    revision++;
    return true;
  }

  return {
    read: async () => ({ mounts: structuredClone(mounts), revision: String(revision) }),
    insert: async (mount, expected) => change(expected, () => [...mounts, structuredClone(mount)]),
    replace: async (path, mount, expected) =>
      change(expected, () => mounts.map((existing) => (existing.path === path ? structuredClone(mount) : existing))),
    remove: async (path, expected) => change(expected, () => mounts.filter((mount) => mount.path !== path)),
  };
}

export function createMemoryPolicyStore(): PolicyStore {
  return createPolicyStore(createMemoryTable());
}

export function createMemoryLoginRoleStore(): LoginRoleStore {
  return createLoginRoleStore(createMemoryTable());
}

export function createMemoryTokenStore(): TokenStore {
  const records = new Map<string, Token>();
  return {
    find: async (token) => structuredClone(records.get(token)),
    put: async (token, record) => void records.set(token, structuredClone(record)),
    remove: async (token) => void records.delete(token),
  };
}
