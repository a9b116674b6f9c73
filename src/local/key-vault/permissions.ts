/** What an operation needs: a word of the access policy model, or a data action of the RBAC model. */
export interface Permission {
  kind: 'keys' | 'secrets';
  policyWord: string;
  /** Without the prefix `Microsoft.KeyVault/vaults/`. */
  dataAction: string;
}

const onKeys = (policyWord: string, dataAction: string): Permission => ({ kind: 'keys', policyWord, dataAction });
const onSecrets = (policyWord: string, dataAction: string): Permission => ({ kind: 'secrets', policyWord, dataAction });

/** Operation name (as in faults and calls) to the permission it needs, in both models. */
export const permissions = {
  create: onKeys('create', 'keys/create/action'),
  import: onKeys('import', 'keys/import/action'),
  get: onKeys('get', 'keys/read'),
  versions: onKeys('list', 'keys/read'),
  list: onKeys('list', 'keys/read'),
  update: onKeys('update', 'keys/update/action'),
  delete: onKeys('delete', 'keys/delete'),
  getDeleted: onKeys('get', 'keys/read'),
  listDeleted: onKeys('list', 'keys/read'),
  recover: onKeys('recover', 'keys/recover/action'),
  purge: onKeys('purge', 'keys/purge/action'),
  backup: onKeys('backup', 'keys/backup/action'),
  restore: onKeys('restore', 'keys/restore/action'),
  rotate: onKeys('rotate', 'keys/rotate/action'),
  getRotationPolicy: onKeys('getrotationpolicy', 'keyrotationpolicies/read'),
  setRotationPolicy: onKeys('setrotationpolicy', 'keyrotationpolicies/write'),
  encrypt: onKeys('encrypt', 'keys/encrypt/action'),
  decrypt: onKeys('decrypt', 'keys/decrypt/action'),
  sign: onKeys('sign', 'keys/sign/action'),
  verify: onKeys('verify', 'keys/verify/action'),
  wrapKey: onKeys('wrapKey', 'keys/wrap/action'),
  unwrapKey: onKeys('unwrapKey', 'keys/unwrap/action'),
  release: onKeys('release', 'keys/release/action'),
  attestation: onKeys('get', 'keys/read'),
  randomBytes: onKeys('get', 'keys/read'),
  setSecret: onSecrets('set', 'secrets/setSecret/action'),
  getSecret: onSecrets('get', 'secrets/getSecret/action'),
  secretVersions: onSecrets('list', 'secrets/readMetadata/action'),
  listSecrets: onSecrets('list', 'secrets/readMetadata/action'),
  updateSecret: onSecrets('set', 'secrets/update/action'),
  deleteSecret: onSecrets('delete', 'secrets/delete'),
  // Which data action this takes isn't documented; it shows metadata only, never the value.
  getDeletedSecret: onSecrets('get', 'secrets/readMetadata/action'),
  listDeletedSecrets: onSecrets('list', 'secrets/readMetadata/action'),
  recoverSecret: onSecrets('recover', 'secrets/recover/action'),
  purgeSecret: onSecrets('purge', 'secrets/purge/action'),
  backupSecret: onSecrets('backup', 'secrets/backup/action'),
  restoreSecret: onSecrets('restore', 'secrets/restore/action'),
} as const satisfies Record<string, Permission>;

export type OperationName = keyof typeof permissions;

export const knownDataActions: readonly string[] = [
  ...new Set(Object.values(permissions).map((permission) => permission.dataAction)),
];

export const knownPolicyWords = {
  keys: policyWordsOf('keys'),
  secrets: policyWordsOf('secrets'),
};

function policyWordsOf(kind: Permission['kind']): ReadonlySet<string> {
  const ofKind = Object.values(permissions).filter((permission) => permission.kind === kind);
  return new Set(ofKind.map((permission) => permission.policyWord.toLowerCase()));
}
