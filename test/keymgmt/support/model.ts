/*
 * What a Key Management engine promises, in plain maps, after Vault's documentation and answers and without any of the
 * engine's own code: no tables, no messages, no vaults. What the engine does in the background shows in it only through
 * what a reader may see next: a removal that completes, a version that a vault confirms.
 */

type DriftPolicy = 'repair' | 'report' | 'ignore';

export type Refusal = 'invalid_request' | 'conflict' | 'not_found';

export type Request =
  | { kind: 'write-key'; key: string; type?: string; minimum?: number; deletionAllowed?: boolean }
  | { kind: 'rotate' | 'delete-key'; key: string }
  | { kind: 'distribute'; key: string; provider: string; purpose: readonly string[]; protection: string }
  | { kind: 'remove'; key: string; provider: string }
  | { kind: 'write-provider'; provider: string; vault?: string; drift?: DriftPolicy }
  | { kind: 'delete-provider'; provider: string };

interface Copy {
  purpose: string;
  protection: string;
  removing: boolean;
  /** Versions 1 up to this one are confirmed by the vault. */
  confirmed: number;
  /** Somebody deleted it in the vault: what was confirmed may be forgotten, and be confirmed anew. */
  wasGone: boolean;
}

interface Key {
  type: string;
  latest: number;
  minimum: number;
  deletionAllowed: boolean;
  copies: Map<string, Copy>;
}

/** What a caller can read, all of it. */
export interface Reading {
  keys: Record<string, KeyReading>;
  /** As the list has them. */
  keyNames: string[];
  providers: Record<string, { vault: string; keys: string[] }>;
  providerNames: string[];
}

export interface KeyReading {
  type: string;
  latest: number;
  minimum: number;
  deletionAllowed: boolean;
  enabled: number[];
  copies: Record<string, { purpose: string; protection: string; removing: boolean; confirmed: number[] }>;
}

export interface Model {
  /** Changes the model, or says why not. */
  apply(request: Request): 'accepted' | Refusal;
  /** What there is to read. */
  reading(): Reading;
  /**
   * Takes over from `seen` what may have happened by itself since: removals that completed, versions that were confirmed,
   * and entries of lists that a request cut short left behind.
   */
  follow(seen: Reading): void;
  /** From now on the lists may be wrong about what `request` concerns, until they are seen to be right. */
  doubt(request: Request): void;
  /** Lists are right again, for all that is still in doubt. */
  trust(): void;
  /** Whether a refusal because of a list that is in doubt would be none of the rules' doing. */
  isDoubtful(request: Request): boolean;
  /** Somebody deleted a copy in its vault. */
  lose(key: string, provider: string): void;
  copy(): Model;
}

const types = ['rsa-2048', 'rsa-3072', 'rsa-4096'];
const purposes = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap'];

interface Contents {
  keys: Map<string, Key>;
  /** Name of the vault by provider. */
  providers: Map<string, string>;
  /** `key/k`, `provider/p` and `booking/k/p`. */
  doubts: Set<string>;
}

export function createModel(contents: Contents = { keys: new Map(), providers: new Map(), doubts: new Set() }): Model {
  const { keys, providers, doubts } = contents;

  function writeKey({ key: name, type, minimum, deletionAllowed }: Request & { kind: 'write-key' }) {
    const key = keys.get(name);
    if (type !== undefined && !types.includes(type)) return 'invalid_request';
    if (type !== undefined && key !== undefined && key.type !== type) return 'conflict';
    if (minimum !== undefined && (minimum < 0 || minimum > (key?.latest ?? 1))) return 'invalid_request';
    keys.set(name, {
      type: key?.type ?? type ?? 'rsa-2048',
      latest: key?.latest ?? 1,
      minimum: minimum ?? key?.minimum ?? 1,
      deletionAllowed: deletionAllowed ?? key?.deletionAllowed ?? false,
      copies: key?.copies ?? new Map<string, Copy>(),
    });
    return 'accepted';
  }

  function deleteKey(name: string) {
    const key = keys.get(name);
    if (key === undefined) return 'accepted';
    if (key.copies.size > 0 || !key.deletionAllowed) return 'conflict';
    keys.delete(name);
    return 'accepted';
  }

  function distribute({ key: name, provider, purpose, protection }: Request & { kind: 'distribute' }) {
    const key = keys.get(name);
    if (key === undefined) return 'invalid_request';
    if (purpose.length === 0 || purpose.some((word) => !purposes.includes(word))) return 'invalid_request';
    if (!['hsm', 'software'].includes(protection)) return 'invalid_request';
    if (!/^[0-9a-zA-Z-]+$/.test(name)) return 'invalid_request';
    const sorted = [...new Set(purpose)].sort().join();
    const copy = key.copies.get(provider);
    if (copy !== undefined) {
      return copy.removing || copy.purpose !== sorted || copy.protection !== protection ? 'conflict' : 'accepted';
    }
    if (!providers.has(provider)) return 'invalid_request';
    key.copies.set(provider, { purpose: sorted, protection, removing: false, confirmed: 0, wasGone: false });
    return 'accepted';
  }

  function holders(provider: string): string[] {
    return [...keys].flatMap(([name, { copies }]) => (copies.has(provider) ? [name] : [])).sort();
  }

  function subjectsOf(request: Request): string[] {
    switch (request.kind) {
      case 'write-key':
      case 'delete-key':
        return [`key/${request.key}`];
      case 'distribute':
      case 'remove':
        return [`booking/${request.key}/${request.provider}`];
      case 'write-provider':
      case 'delete-provider':
        return [`provider/${request.provider}`];
      case 'rotate':
        return [];
    }
  }

  /** A list as it should be, except where it is in doubt: there, as it was seen. */
  function listed(right: readonly string[], seen: readonly string[] | undefined, subjectOf: (name: string) => string) {
    if (seen === undefined) return [...right].sort();
    const names = new Set([...right, ...seen]);
    return [...names]
      .filter((name) => {
        const agrees = right.includes(name) === seen.includes(name);
        if (agrees || !doubts.has(subjectOf(name))) return right.includes(name);
        return seen.includes(name);
      })
      .sort();
  }

  function agrees(doubt: string, seen: Reading): boolean {
    const [kind = '', name = '', provider = ''] = doubt.split('/');
    if (kind === 'key') return keys.has(name) === seen.keyNames.includes(name);
    if (kind === 'provider') return providers.has(name) === seen.providerNames.includes(name);
    const isBooked = seen.providers[provider]?.keys.includes(name) ?? false;
    return isBooked === (keys.get(name)?.copies.has(provider) ?? false);
  }

  let seenBefore: Reading | undefined;

  return {
    apply(request) {
      switch (request.kind) {
        case 'write-key':
          return writeKey(request);
        case 'rotate': {
          const key = keys.get(request.key);
          if (key === undefined) return 'not_found';
          key.latest += 1;
          return 'accepted';
        }
        case 'delete-key':
          return deleteKey(request.key);
        case 'distribute':
          return distribute(request);
        case 'remove': {
          const copy = keys.get(request.key)?.copies.get(request.provider);
          if (copy !== undefined) copy.removing = true;
          return 'accepted';
        }
        case 'write-provider': {
          const vault = providers.get(request.provider);
          if (vault === undefined && request.vault === undefined) return 'invalid_request';
          if (vault !== undefined && request.vault !== undefined && request.vault !== vault) return 'conflict';
          providers.set(request.provider, vault ?? request.vault ?? '');
          return 'accepted';
        }
        case 'delete-provider':
          if (providers.has(request.provider) && holders(request.provider).length > 0) return 'conflict';
          providers.delete(request.provider);
          return 'accepted';
      }
    },

    reading() {
      const seen = seenBefore;
      return {
        keys: Object.fromEntries(
          [...keys].sort(byName).map(([name, { type, latest, minimum, deletionAllowed, copies }]) => [
            name,
            {
              type,
              latest,
              minimum,
              deletionAllowed,
              enabled: upTo(latest).filter((version) => version >= minimum),
              copies: Object.fromEntries(
                [...copies]
                  .sort(byName)
                  .map(([provider, { purpose, protection, removing, confirmed }]) => [
                    provider,
                    { purpose, protection, removing, confirmed: upTo(confirmed) },
                  ]),
              ),
            },
          ]),
        ),
        keyNames: listed([...keys.keys()], seen?.keyNames, (name) => `key/${name}`),
        providers: Object.fromEntries(
          [...providers]
            .sort(byName)
            .map(([name, vault]) => [
              name,
              { vault, keys: listed(holders(name), seen?.providers[name]?.keys, (key) => `booking/${key}/${name}`) },
            ]),
        ),
        providerNames: listed([...providers.keys()], seen?.providerNames, (name) => `provider/${name}`),
      };
    },

    follow(seen) {
      seenBefore = seen;
      for (const [name, { latest, copies }] of keys) {
        for (const [provider, copy] of copies) {
          const found = seen.keys[name]?.copies[provider];
          if (found === undefined && copy.removing) {
            copies.delete(provider);
            doubts.add(`booking/${name}/${provider}`);
          }
          if (found === undefined) continue;
          const most = Math.min(latest, found.confirmed.length);
          // What is being removed may be forgotten bit by bit.
          copy.confirmed = copy.removing || copy.wasGone ? most : Math.max(copy.confirmed, most);
        }
      }
      for (const doubt of doubts) if (agrees(doubt, seen)) doubts.delete(doubt);
    },

    doubt: (request) => subjectsOf(request).forEach((subject) => doubts.add(subject)),
    trust: () => doubts.clear(),
    isDoubtful: (request) =>
      request.kind === 'delete-provider' &&
      [...doubts].some((doubt) => doubt.startsWith('booking/') && doubt.endsWith(`/${request.provider}`)),

    lose(key, provider) {
      const copy = keys.get(key)?.copies.get(provider);
      if (copy !== undefined) copy.wasGone = true;
    },

    copy: () => createModel(structuredClone(contents)),
  };
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const byName = ([left]: [string, unknown], [right]: [string, unknown]) => (left < right ? -1 : 1);
