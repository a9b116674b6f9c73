/** Names that begin like this can't be written. */
export const builtInPrefix = 'keyfleet-';

/**
 * The policies that exist without anybody writing them. In their paths `<type>/` stands for every mount of that type,
 * however many segments its path has: Vault's `+` can't say that, and one `+` too many would take the provider `x` of
 * `keymgmt/kms/x/key/y` for a part of the mount's path.
 */
export const builtInPolicies: ReadonlyMap<string, string> = new Map([
  /** Everything but what only `root` may: tokens with the policy `root`. */
  [
    'keyfleet-administrator',
    `
path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }
`,
  ],

  /**
   * Keys, providers and distributions of every mount; enabling and disabling mounts is the administrator's. Terraform
   * works with a child token.
   */
  [
    'keyfleet-key-operator',
    `
path "<keymgmt>/*"       { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
path "sys/mounts"        { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
`,
  ],

  /** Secrets of every mount, their versions and settings; child tokens as above. */
  [
    'keyfleet-secrets-operator',
    `
path "<kv>/*"            { capabilities = ["create", "read", "update", "patch", "delete", "list"] }
path "sys/mounts"        { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
`,
  ],

  /** Public keys, to check signatures with. Signing itself happens in the vault that holds the key. */
  [
    'keyfleet-signer',
    `
path "<keymgmt>/key"   { capabilities = ["list"] }
path "<keymgmt>/key/+" { capabilities = ["read"] }
`,
  ],

  /** How everything is set up, and no secret's value. */
  [
    'keyfleet-auditor',
    `
path "<keymgmt>/*"        { capabilities = ["read", "list"] }
path "<kv>/config"        { capabilities = ["read"] }
path "<kv>/metadata"      { capabilities = ["list"] }
path "<kv>/metadata/*"    { capabilities = ["read", "list"] }
path "sys/mounts"         { capabilities = ["read"] }
path "sys/mounts/*"       { capabilities = ["read"] }
path "sys/auth"           { capabilities = ["read"] }
path "sys/auth/*"         { capabilities = ["read"] }
path "sys/policy"         { capabilities = ["read", "list"] }
path "sys/policy/*"       { capabilities = ["read"] }
path "sys/policies/acl"   { capabilities = ["list"] }
path "sys/policies/acl/*" { capabilities = ["read"] }
path "auth/+/config"      { capabilities = ["read"] }
path "auth/+/role"        { capabilities = ["list"] }
path "auth/+/role/*"      { capabilities = ["read"] }
`,
  ],

  /** Keys as Keyfleet shows them, and secrets with their values. */
  [
    'keyfleet-reader',
    `
path "<keymgmt>/*"     { capabilities = ["read", "list"] }
path "<kv>/data/*"     { capabilities = ["read"] }
path "<kv>/subkeys/*"  { capabilities = ["read"] }
path "<kv>/metadata"   { capabilities = ["list"] }
path "<kv>/metadata/*" { capabilities = ["read", "list"] }
`,
  ],
]);

/** The policy that every token has unless it is made without. It can be replaced, and never removed. */
export const defaultPolicy = `
path "auth/token/lookup-self"          { capabilities = ["read", "update"] }
path "auth/token/renew-self"           { capabilities = ["update"] }
path "auth/token/revoke-self"          { capabilities = ["update"] }
path "sys/capabilities-self"           { capabilities = ["update"] }
path "sys/internal/ui/mounts"          { capabilities = ["read"] }
path "sys/internal/ui/mounts/*"        { capabilities = ["read"] }
`;

const policyByRole: ReadonlyMap<string, string> = new Map([
  ['Administrator', 'keyfleet-administrator'],
  ['KeyOperator', 'keyfleet-key-operator'],
  ['SecretsOperator', 'keyfleet-secrets-operator'],
  ['Signer', 'keyfleet-signer'],
  ['Auditor', 'keyfleet-auditor'],
  ['Reader', 'keyfleet-reader'],
]);

/**
 * @param roles values of app roles, compared exactly
 * @returns the policies of a caller with these roles; none without a role that is known
 */
export function policiesOfRoles(roles: readonly string[]): string[] {
  const policies = roles.map((role) => policyByRole.get(role)).filter((name) => name !== undefined);
  return policies.length === 0 ? [] : [...new Set(['default', ...policies])].toSorted();
}
