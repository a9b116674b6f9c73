import type { PublicKey } from './keys/key-material.ts';
import type { Vault } from './vault.ts';

export interface InspectedKeyVersion {
  /** Key Vault's own id. */
  version: string;
  enabled: boolean;
  tags: Readonly<Record<string, string>>;
  operations: readonly string[];
  publicKey: PublicKey;
}

export interface InspectedKey {
  name: string;
  deleted: boolean;
  /** In the order in which they were made. */
  versions: readonly InspectedKeyVersion[];
}

/** A look at a vault's keys from inside the process, past the protocol, without effect on them. */
export interface VaultInspection {
  /** Live or deleted. */
  key(name: string): InspectedKey | undefined;
  /** All of them, live or deleted. */
  keys(): InspectedKey[];
}

export function inspectVault({ keys }: Vault): VaultInspection {
  type Stored = ReturnType<Vault['keys']['contents']>['objects'][number];
  const inspected = ({ name, deletion, versions }: Stored): InspectedKey => ({
    name,
    deleted: deletion !== undefined,
    versions: [...versions.values()].map(({ version, enabled, tags = {}, keyOps, publicKey }) => ({
      version,
      enabled,
      tags,
      operations: keyOps,
      publicKey,
    })),
  });
  return {
    key(name) {
      const found = keys.peek(name);
      return found && inspected(found);
    },
    keys: () => keys.contents().objects.map(inspected),
  };
}
