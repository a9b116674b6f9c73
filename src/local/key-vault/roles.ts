const prefix = 'Microsoft.KeyVault/vaults/';

interface BuiltInRole {
  id: string;
  name: string;
  /** `*` stands for any run of characters. */
  dataActions: readonly string[];
}

/** Scope: one vault. */
const builtInRoles: readonly BuiltInRole[] = [
  { id: '00482a5a-887f-4fb3-b363-3b7fe8e74483', name: 'Key Vault Administrator', dataActions: ['*'] },
  {
    id: '21090545-7ca7-4776-b22c-e363652d74d2',
    name: 'Key Vault Reader',
    // Metadata only.
    dataActions: ['*/read', 'secrets/readMetadata/action'],
  },
  {
    id: '14b46e9e-c2b7-41b4-b07b-48a6ebf60603',
    name: 'Key Vault Crypto Officer',
    dataActions: ['keys/*', 'keyrotationpolicies/*'],
  },
  {
    id: '12338af0-0e69-4776-bea7-57ae8d297424',
    name: 'Key Vault Crypto User',
    // No create, import or delete.
    dataActions: [
      'keys/read',
      'keys/update/action',
      'keys/backup/action',
      'keys/encrypt/action',
      'keys/decrypt/action',
      'keys/wrap/action',
      'keys/unwrap/action',
      'keys/sign/action',
      'keys/verify/action',
    ],
  },
  {
    id: 'e147488a-f6f5-4113-8e2d-b22465e65bf6',
    name: 'Key Vault Crypto Service Encryption User',
    dataActions: ['keys/read', 'keys/wrap/action', 'keys/unwrap/action'],
  },
  {
    id: '08bbd89e-9f13-488c-ac41-acfcb10c90ab',
    name: 'Key Vault Crypto Service Release User',
    dataActions: ['keys/release/action'],
  },
  { id: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7', name: 'Key Vault Secrets Officer', dataActions: ['secrets/*'] },
  {
    id: '4633458b-17de-408a-b874-0445c86b69e6',
    name: 'Key Vault Secrets User',
    dataActions: ['secrets/getSecret/action', 'secrets/readMetadata/action'],
  },
  {
    id: 'a4417e6f-fecd-4de8-b567-7b0420556985',
    name: 'Key Vault Certificates Officer',
    dataActions: ['certificates/*'],
  },
  {
    id: 'a68e7c17-0ab2-4c09-9a58-125dae29748c',
    name: 'Key Vault Purge Operator',
    // Deleted vaults, which are the control plane's.
    dataActions: [],
  },
];

/**
 * @param roles ids or names of built-in roles
 * @param dataActions full names as a custom role lists them, `Microsoft.KeyVault/vaults/keys/create/action`; `*` is allowed
 * @returns a predicate over data actions without the `Microsoft.KeyVault/vaults/` prefix
 * @throws Error for a role or data action that doesn't exist
 */
export function compileDataActions(
  roles: readonly string[],
  dataActions: readonly string[],
  known: readonly string[],
): (dataAction: string) => boolean {
  const patterns = roles.flatMap((role) => {
    const wanted = role.toLowerCase();
    const found = builtInRoles.find(({ id, name }) => id === wanted || name.toLowerCase() === wanted);
    if (!found) throw new Error(`No built-in Key Vault role has the id or name '${role}'.`);
    return found.dataActions.map(patternOf);
  });
  for (const action of dataActions) {
    if (!action.startsWith(prefix) && action !== '*') throw new Error(`'${action}' isn't a Key Vault data action.`);
    const pattern = patternOf(action === '*' ? '*' : action.slice(prefix.length));
    if (!known.some((name) => pattern.test(name))) throw new Error(`'${action}' isn't a Key Vault data action.`);
    patterns.push(pattern);
  }
  return (dataAction) => patterns.some((pattern) => pattern.test(dataAction));
}

/** Data actions compare without regard to case, as everything in Azure's authorisation does. */
function patternOf(action: string): RegExp {
  const escaped = action.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 'i');
}
