import { maximumPolicyLength, type PolicyStore } from '../../state/policies.ts';
import { type BuiltinReply, type BuiltinRoute, defineBuiltinRoute } from '../builtin.ts';
import { invalidRequest } from '../errors.ts';
import { builtInPolicies, builtInPrefix, defaultPolicy } from '../policies/built-in.ts';
import { parsePolicy, PolicyError, remarksOn } from '../policies/policy-text.ts';

/** `sys/policies/acl`, and `sys/policy` as it was called before. */
export function createPolicyRoutes({ policies }: { policies: PolicyStore }): BuiltinRoute[] {
  async function names(): Promise<string[]> {
    const always = ['default', 'root', ...builtInPolicies.keys()];
    return [...new Set([...always, ...(await policies.list())])].toSorted();
  }

  async function textOf(name: string): Promise<string | undefined> {
    if (name === 'root') return '';
    const stored = builtInPolicies.get(name) ?? (await policies.find(name));
    return stored ?? (name === 'default' ? defaultPolicy : undefined);
  }

  async function write(sentName: string, sent: string, moreWarnings: readonly string[] = []): Promise<BuiltinReply> {
    const name = sentName.toLowerCase();
    refuseFixed('update', name);
    if (sent === '') throw invalidRequest("'policy' parameter not supplied or empty");
    const text = decodeBase64(sent) ?? sent;
    if (text.length > maximumPolicyLength) {
      throw invalidRequest(`a policy can have at most ${maximumPolicyLength} characters`);
    }
    const rules = parse(text);
    await policies.put(name, text);
    const warnings = [
      ...moreWarnings,
      ...(name === sentName ? [] : [`policy name was converted to ${name}`]),
      ...remarksOn(rules),
    ];
    return warnings.length === 0 ? {} : { warnings };
  }

  async function remove(sentName: string): Promise<BuiltinReply> {
    const name = sentName.toLowerCase();
    refuseFixed('delete', name);
    if (name === 'default') throw invalidRequest('cannot delete "default" policy');
    await policies.remove(name);
    return {};
  }

  return [
    defineBuiltinRoute({
      path: 'policies/acl',
      synopsis: 'Lists the policies.',
      fields: {},
      list: async () => ({ keys: await names() }),
    }),

    defineBuiltinRoute({
      path: 'policies/acl/:name',
      synopsis: 'Reads, writes or deletes a policy.',
      fields: { policy: { type: 'string', description: 'HCL or JSON, or either in base64.' } },
      async read({ parameters }) {
        const name = parameters.name.toLowerCase();
        const policy = await textOf(name);
        return policy === undefined ? undefined : { data: { name, policy } };
      },
      write: ({ parameters, fields }) => write(parameters.name, fields.policy ?? ''),
      delete: ({ parameters }) => remove(parameters.name),
    }),

    defineBuiltinRoute({
      path: 'policy',
      synopsis: 'Lists the policies.',
      fields: {},
      async read() {
        const all = await names();
        return { data: { keys: all, policies: all }, copyToTopLevel: true };
      },
      list: async () => ({ keys: await names() }),
    }),

    defineBuiltinRoute({
      path: 'policy/:name',
      synopsis: 'Reads, writes or deletes a policy.',
      fields: {
        policy: { type: 'string', description: 'HCL or JSON, or either in base64.' },
        rules: { type: 'string', description: 'The same under its older name.' },
      },
      async read({ parameters }) {
        const name = parameters.name.toLowerCase();
        const rules = await textOf(name);
        return rules === undefined ? undefined : { data: { name, rules }, copyToTopLevel: true };
      },
      write({ parameters, fields: { policy = '', rules = '' } }) {
        if (policy !== '') return write(parameters.name, policy);
        const warnings = rules === '' ? [] : ["'rules' is deprecated, please use 'policy' instead"];
        return write(parameters.name, rules, warnings);
      },
      delete: ({ parameters }) => remove(parameters.name),
    }),
  ];
}

function refuseFixed(verb: 'update' | 'delete', name: string): void {
  if (name === 'root') throw invalidRequest(`cannot ${verb} "root" policy`);
  if (name.startsWith(builtInPrefix)) {
    throw invalidRequest(`cannot ${verb} "${name}" policy: names that begin with "${builtInPrefix}" are built in`);
  }
}

function parse(text: string) {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (error instanceof PolicyError) throw invalidRequest(`failed to parse policy: ${error.message}`);
    throw error;
  }
}

/** @returns undefined unless the text is base64 from end to end, padding included, and text again when decoded */
function decodeBase64(text: string): string | undefined {
  const compact = text.replace(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact) || compact.length % 4 !== 0) return undefined;
  const decoded = Buffer.from(compact, 'base64');
  if (decoded.toString('base64') !== compact) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(decoded);
  } catch {
    return undefined;
  }
}
