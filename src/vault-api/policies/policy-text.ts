import { type HclBlock, HclSyntaxError, type HclValue, parseHcl } from './hcl.ts';

const capabilities = [
  'create',
  'read',
  'update',
  'patch',
  'delete',
  'list',
  'sudo',
  'deny',
  // Understood, though nothing here recovers from snapshots or sends events.
  'recover',
  'subscribe',
] as const;

export type Capability = (typeof capabilities)[number];

/** What one `path` of a policy says. */
export interface Rule {
  /** As written, without leading slash: may end in `*`, and hold `+` for whole segments. */
  path: string;
  /** `deny` stands alone. */
  capabilities: ReadonlySet<Capability>;
}

/** What `policy = "..."`, the notation before capabilities, stands for. */
const oldPolicies: ReadonlyMap<string, readonly Capability[]> = new Map([
  ['deny', ['deny']],
  ['read', ['read', 'list']],
  ['write', ['create', 'read', 'update', 'delete', 'list']],
  ['sudo', ['create', 'read', 'update', 'delete', 'list', 'sudo']],
]);

/** Keys of Vault's that restrict a rule. A rule without its restriction would allow more than its author meant. */
const unsupportedKeys = [
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
  'mfa_methods',
  'control_group',
  'subscribe_event_types',
];

/** A policy that can't be taken as it is. The message is for its author. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

/**
 * Reads a policy in Vault's HCL or JSON.
 * @throws PolicyError for everything that would not be enforced exactly as written
 */
export function parsePolicy(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const { name, value } of parse(text).entries) {
    if (name === 'name') continue;
    if (name !== 'path') throw new PolicyError(`invalid key "${name}"`);
    for (const block of [value].flat()) {
      if (!isBlock(block)) throw new PolicyError('"path" needs a path and a block');
      for (const { name: path, value: body } of block.entries) {
        for (const one of [body].flat()) rules.push(readRule(path, one));
      }
    }
  }
  return rules;
}

/**
 * @returns remarks on rules that are valid but hardly mean what they look like
 */
export function remarksOn(rules: readonly Rule[]): string[] {
  return rules
    .filter(({ path }) => path.slice(0, -1).includes('*'))
    .map(({ path }) => `path "${path}": a "*" is a wildcard only at the end; elsewhere it is the character itself`);
}

function parse(text: string): HclBlock {
  try {
    return parseHcl(text);
  } catch (error) {
    if (error instanceof HclSyntaxError) throw new PolicyError(error.message);
    throw error;
  }
}

function readRule(path: string, body: HclValue): Rule {
  const fail = (problem: string) => new PolicyError(`path "${path}": ${problem}`);
  if (!isBlock(body)) throw fail('needs a block');
  if (path.includes('{{')) throw fail('templates are not supported');
  if (path.includes('+*')) throw fail("invalid use of wildcards ('+*' is forbidden)");

  const granted = new Set<Capability>();
  const seen = new Set<string>();
  for (const { name, value } of body.entries) {
    if (seen.has(name)) throw fail(`"${name}" is given twice`);
    seen.add(name);
    if (name === 'capabilities') for (const capability of readCapabilities(value, fail)) granted.add(capability);
    else if (name === 'policy') for (const capability of readOldPolicy(value, fail)) granted.add(capability);
    else if (unsupportedKeys.includes(name)) throw fail(`${name} is not supported`);
    else if (name !== 'comment') throw fail(`invalid key "${name}"`);
  }
  return {
    path: path.startsWith('/') ? path.slice(1) : path,
    capabilities: granted.has('deny') ? new Set(['deny']) : granted,
  };
}

function readCapabilities(value: HclValue, fail: (problem: string) => Error): Capability[] {
  if (!Array.isArray(value)) throw fail('capabilities must be a list');
  return value.map((item: HclValue) => {
    const known = capabilities.find((capability) => capability === item);
    if (known === undefined) throw fail(`invalid capability ${JSON.stringify(item)}`);
    return known;
  });
}

function readOldPolicy(value: HclValue, fail: (problem: string) => Error): readonly Capability[] {
  const known = typeof value === 'string' ? oldPolicies.get(value) : undefined;
  if (known === undefined) throw fail(`invalid policy ${JSON.stringify(value)}`);
  return known;
}

function isBlock(value: HclValue | undefined): value is HclBlock {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
