import { createHash } from 'node:crypto';
import { KeyfleetError } from '../../errors.ts';
import type { Mount } from '../../state/mounts.ts';
import type { PolicyStore } from '../../state/policies.ts';
import { type Acl, compileAcl, rootAcl } from './acl.ts';
import { builtInPolicies, defaultPolicy } from './built-in.ts';
import { parsePolicy, PolicyError, type Rule } from './policy-text.ts';

export interface PoliciesOptions {
  store: Pick<PolicyStore, 'find'>;
  /** Sets of policies kept compiled; 200 unless given. */
  cacheSize?: number;
}

/** Policies by name, compiled together. */
export interface Policies {
  /**
   * @param names of a caller's policies; those that don't exist allow nothing
   * @param readMounts the mounts as this request sees them, which built-in policies refer to
   */
  aclOf(names: readonly string[], readMounts: () => Promise<readonly Mount[]>): Promise<Acl>;
}

/** A placeholder of a built-in policy: `<type>/`. */
const mountPlaceholder = /^<([\w-]+)>\//;

export function createPolicies({ store, cacheSize = 200 }: PoliciesOptions): Policies {
  // By content: a policy that was changed is another one, so nothing here can be out of date.
  const compiled = new Map<string, Acl>();

  async function textOf(name: string): Promise<string | undefined> {
    const builtIn = builtInPolicies.get(name);
    if (builtIn !== undefined) return builtIn;
    return (await store.find(name)) ?? (name === 'default' ? defaultPolicy : undefined);
  }

  function remember(key: string, acl: Acl): Acl {
    const [oldest] = compiled.keys();
    if (compiled.size >= cacheSize && oldest !== undefined) compiled.delete(oldest);
    compiled.set(key, acl);
    return acl;
  }

  return {
    async aclOf(names, readMounts) {
      if (names.includes('root')) return rootAcl;
      const sorted = [...new Set(names)].toSorted();
      const texts = await Promise.all(sorted.map(textOf));
      const usesMounts = sorted.some((name) => builtInPolicies.has(name));
      const mounts = usesMounts ? (await readMounts()).map(({ type, path }) => ({ type, path })) : [];
      const key = createHash('sha256')
        .update(JSON.stringify([sorted, texts, mounts]))
        .digest('base64');
      const known = compiled.get(key);
      if (known !== undefined) return known;
      const rules = sorted.flatMap((name, index) => rulesOf(name, texts[index], mounts));
      return remember(key, compileAcl(rules));
    },
  };
}

function rulesOf(name: string, text: string | undefined, mounts: readonly Pick<Mount, 'type' | 'path'>[]): Rule[] {
  const rules = text === undefined ? [] : parseStored(name, text);
  if (!builtInPolicies.has(name)) return rules;
  return rules.flatMap((rule) => {
    const [placeholder, type] = mountPlaceholder.exec(rule.path) ?? [];
    if (placeholder === undefined) return [rule];
    return mounts
      .filter((mount) => mount.type === type)
      .map(({ path }) => ({ ...rule, path: path + rule.path.slice(placeholder.length) }));
  });
}

/** Texts are checked before they are stored; one that another version stored may still be unknown to this one. */
function parseStored(name: string, text: string): Rule[] {
  try {
    return parsePolicy(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new KeyfleetError('internal', `policy "${name}" can't be enforced: ${error.message}`);
  }
}
