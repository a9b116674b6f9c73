import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

/** Which host names this process resolves by itself. Names are compared without regard to case or a final dot. */
export interface LoopbackNames {
  /** Each of these domains and every name below it is 127.0.0.1, e.g. `localhost`. */
  domains: readonly string[];
  /**
   * Domains in which only the listed names exist and any other is ENOTFOUND, as for an Azure vault that isn't there:
   * domain, e.g. `vault.localhost` -> labels directly below it, e.g. `learn-keyvault`. Read at every look-up.
   */
  zones: Readonly<Record<string, readonly string[]>>;
}

/** The environment variable in which a child process is told its names, as JSON. */
export const loopbackNamesVariable = 'KEYFLEET_LOCAL_NAMES';

type LookupCallback = (error: NodeJS.ErrnoException | null, address?: unknown, family?: number) => void;
interface LookupOptions {
  all?: boolean | undefined;
  family?: number | 'IPv4' | 'IPv6' | undefined;
}
type Lookup = (hostname: string, options: LookupOptions, callback: LookupCallback) => void;
type LookupPromise = (hostname: string, options?: number | LookupOptions) => Promise<unknown>;

// The resolver is the process's one, and two platforms may run in it: a name exists if it exists in either.
const installed = new Set<LoopbackNames>();
const original = { lookup: dns.lookup, lookupPromise: dns.promises.lookup };

/**
 * Makes every default look-up in this process (`dns.lookup`, its promise form, and so net, tls, http and fetch) know
 * `names`. Plain resolvers don't resolve names below `localhost`.
 * @returns a function that takes the names away again
 */
export function installLoopbackNames(names: LoopbackNames): () => void {
  if (installed.size === 0) replaceLookup(createLookup(), createLookupPromise());
  installed.add(names);
  return () => {
    if (installed.delete(names) && installed.size === 0) replaceLookup(original.lookup, original.lookupPromise);
  };
}

/** For the preload of a child process: installs what {@link loopbackNamesVariable} holds, nothing if it is unset. */
export function installLoopbackNamesFromEnvironment(environment: NodeJS.ProcessEnv): void {
  const names = environment[loopbackNamesVariable];
  if (names) installLoopbackNames(JSON.parse(names) as LoopbackNames);
}

function replaceLookup(lookup: unknown, lookupPromise: unknown): void {
  Object.assign(dns, { lookup });
  Object.assign(dns.promises, { lookup: lookupPromise });
  syncBuiltinESMExports();
}

function createLookup(): unknown {
  const pass = original.lookup as unknown as Lookup;
  const lookup = (hostname: string, options: unknown, callback?: LookupCallback): void => {
    const done = callback ?? (options as LookupCallback);
    const answer = resolve(hostname, callback ? options : {});
    if (answer === undefined) {
      if (callback) pass(hostname, options as LookupOptions, callback);
      else pass(hostname, {}, done);
    } else if (answer instanceof Error) process.nextTick(done, answer);
    else if (answer.all) process.nextTick(done, null, [loopback]);
    else process.nextTick(done, null, loopback.address, loopback.family);
  };
  // util.promisify finds the names of the callback's arguments in a hidden property.
  return Object.defineProperties(lookup, Object.getOwnPropertyDescriptors(original.lookup));
}

function createLookupPromise(): LookupPromise {
  const pass = original.lookupPromise as LookupPromise;
  return async (hostname, options) => {
    const answer = resolve(hostname, options);
    if (answer === undefined) return pass(hostname, options);
    if (answer instanceof Error) throw answer;
    return answer.all ? [{ ...loopback }] : { ...loopback };
  };
}

const loopback = { address: '127.0.0.1', family: 4 } as const;

/** @returns undefined for a name that isn't ours. */
function resolve(hostname: string, options: unknown): { all: boolean } | Error | undefined {
  const wanted = typeof options === 'number' ? { family: options } : ((options ?? {}) as LookupOptions);
  const name = String(hostname).toLowerCase().replace(/\.$/, '');
  const verdicts = [...installed].map((names) => judge(name, names));
  if (verdicts.includes('exists')) {
    return wanted.family === 6 || wanted.family === 'IPv6' ? notFound(hostname) : { all: wanted.all === true };
  }
  return verdicts.includes('absent') ? notFound(hostname) : undefined;
}

function judge(name: string, names: LoopbackNames): 'exists' | 'absent' | 'foreign' {
  for (const [zone, labels] of Object.entries(names.zones)) {
    if (name.endsWith(`.${zone}`)) return labels.includes(name.slice(0, -zone.length - 1)) ? 'exists' : 'absent';
  }
  return names.domains.some((domain) => name === domain || name.endsWith(`.${domain}`)) ? 'exists' : 'foreign';
}

function notFound(hostname: string): Error {
  const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`);
  return Object.assign(error, { errno: -3008, code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname });
}
