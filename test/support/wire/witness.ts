import { tagNames } from '../../../src/reconcile/version-marks.ts';
import { ownerOf } from '../../../src/reconcile/target.ts';
import type { KeyState } from '../../../src/state/key-records.ts';
import type { InspectedKey } from '../../../src/local/key-vault/index.ts';
import { unseenEnd, type ProviderStatus } from '../../../src/keymgmt/status.ts';
import type { World } from '../world.ts';
import { mount } from '../invariants.ts';
import type { FreshVaults, WireObserver } from './fleet.ts';

/** Sees what reaches the vaults and what the service gets to read of them, whatever it believes. */
export interface WireWitness extends WireObserver {
  /** What was done that mustn't be, in words. */
  readonly harm: readonly string[];
  /** Calls that change a vault and reached it. */
  readonly changes: number;
  /** From now on it is told apart whether everything in the vault was listed. */
  beginPass(provider: string): void;
  endPass(provider: string): void;
  /** What a status tells that nobody can know. @param provider whose vault it is about */
  faultsOf(status: ProviderStatus, provider: string): string[];
  /** What is no longer as other people left it. */
  lostOfOthers(): string[];
}

export interface WireWitnessOptions {
  world: Pick<World, 'now'>;
  vaults: Pick<FreshVaults, 'names' | 'inspect'>;
  /** What is wanted, past the vault. */
  readKey: (key: string) => Promise<KeyState | undefined>;
}

interface Pass {
  began: Date;
  ended: boolean;
  /** The last page of the list came. */
  listed: boolean;
  /** Something went wrong on the way to the vault. */
  troubled: boolean;
  /** Listing was refused, so that keys were read by name. */
  mayNotList: boolean;
}

export function createWireWitness({ world, vaults, readKey }: WireWitnessOptions): WireWitness {
  const harm: string[] = [];
  const reads = new Map<string, Date>();
  const answers = new Map<string, Date>();
  const passes = new Map<string, Pass>();
  const providerOf = new Map([...vaults.names].map(([provider, vault]) => [vault, provider]));
  let changes = 0;

  const original = new Map([...vaults.names.values()].map((name) => [name, describeAll(vaults.inspect(name))]));

  const find = (vault: string, keyName: string) => vaults.inspect(vault).find(({ name }) => name === keyName);
  const newestOf = (vault: string, keyName: string) => find(vault, keyName)?.versions.at(-1)?.version;

  async function judge({ method, host, path, body }: Parameters<WireObserver['before']>[0]): Promise<void> {
    if (method === 'GET') return;
    changes++;
    const vault = host.split('.')[0] ?? '';
    const provider = providerOf.get(vault) ?? '';
    const [, collection, keyName = '', version = ''] = path.split('/');
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 300)}`;
    const complain = (why: string) => void harm.push(`${why}: ${what}`);
    const current = find(vault, keyName);
    if (collection !== 'keys') return complain('neither recovers nor purges');
    if (original.get(vault)?.has(keyName) === true) return complain('touches what is not ours');
    if (method === 'POST') {
      // A Standard vault is asked each time, and refuses.
      if (current !== undefined || !keyName.startsWith('keyfleet-kek-')) complain('creates');
      return;
    }
    const key = keyName.slice(0, keyName.lastIndexOf('-'));
    const state = await readKey(key);
    const entry = state?.distributions.find(({ distribution }) => distribution.provider === provider);
    if (state === undefined || entry?.distribution.kmsName !== keyName) return complain('for nobody');
    const owner = ownerOf(mount, provider, key);
    if (current?.versions.some(({ tags }) => tags[tagNames.owner] !== owner)) return complain('beside somebody’s');
    if (method === 'DELETE') {
      if (!entry.distribution.removing) complain('deletes');
      return;
    }
    const { enabled } = (body as { attributes?: { enabled?: boolean } } | undefined)?.attributes ?? {};
    if (method === 'PUT') {
      const number = (body as { tags?: Record<string, string> } | undefined)?.tags?.[tagNames.version];
      if (current?.deleted === true) complain('on a deleted name');
      if (current?.versions.some(({ tags }) => tags[tagNames.version] === number)) complain('a second version');
      if (enabled === false && Number(number) >= state.key.minEnabledVersion) complain('disabled from the start');
      return;
    }
    const target = current?.versions.find((one) => one.version === version);
    if (enabled !== false) return;
    if (Number(target?.tags[tagNames.version]) >= state.key.minEnabledVersion) complain('disables');
    const newest = current?.versions.find(({ tags }) => Number(tags[tagNames.version]) === state.key.latestVersion);
    if (newest?.enabled !== true || newest === target) complain('disables before the newest is of use');
  }

  function noteRead(vault: string, version: string | undefined): void {
    if (version === undefined) return;
    reads.set(`${vault}/${version}`, world.now());
    answers.set(`${vault}/${version}`, world.now());
  }

  return {
    now: () => world.now(),
    harm,
    get changes() {
      return changes;
    },
    before: judge,

    delivered({ method, host, path }, { status, body }) {
      if (status !== 200) return;
      const vault = host.split('.')[0] ?? '';
      const reply = JSON.parse(body) as { key?: { kid: string }; value?: { kid: string }[]; nextLink?: string };
      const versionOf = (kid: string) => new URL(kid).pathname.split('/')[3];
      if (method !== 'GET') {
        if (reply.key !== undefined) answers.set(`${vault}/${versionOf(reply.key.kid)}`, world.now());
        return;
      }
      if (reply.key !== undefined) noteRead(vault, versionOf(reply.key.kid));
      for (const { kid } of reply.value ?? []) {
        // A list of keys shows the newest version of each, and doesn't say which that is.
        noteRead(vault, versionOf(kid) ?? newestOf(vault, new URL(kid).pathname.split('/')[2] ?? ''));
      }
      const pass = passes.get(providerOf.get(vault) ?? '');
      if (pass?.ended === false && path === '/keys' && (reply.nextLink ?? '') === '') pass.listed = true;
    },

    troubled(host) {
      const pass = passes.get(providerOf.get(host.split('.')[0] ?? '') ?? '');
      if (pass?.ended === false) pass.troubled = true;
    },

    endPass(provider) {
      const pass = passes.get(provider);
      if (pass !== undefined) pass.ended = true;
    },

    beginPass(provider) {
      passes.set(provider, { began: world.now(), ended: false, listed: false, troubled: false, mayNotList: false });
    },

    faultsOf({ inspection, keys }, provider) {
      const vault = vaults.names.get(provider) ?? '';
      const found: string[] = [];
      const pass = passes.get(provider);
      if (pass !== undefined && inspection?.mayList === false) pass.mayNotList = true;
      for (const { key, kmsName, versions } of keys) {
        for (const { version, state, readTime, reason } of versions) {
          const held = find(vault, kmsName)?.versions.find(({ tags }) => tags[tagNames.version] === String(version));
          const read = held && reads.get(`${vault}/${held.version}`);
          const complain = (why: string) =>
            void found.push(
              `${provider}/${key} ${version} is ${state} (${reason}), read ${readTime?.toISOString()}: ${why}`,
            );
          if (readTime !== undefined && (read === undefined || readTime > read)) complain('it was not read then');
          if (state === 'confirmed') {
            if (readTime === undefined) complain('no read is told of');
            // One that stood back, or went on by name, didn't fail.
            const shouldBeSeen = pass?.listed === false && pass.troubled && !pass.mayNotList;
            if (shouldBeSeen && (read === undefined || read < pass.began)) {
              complain('the last pass did not see it');
            }
          }
          if (state === 'drifted' || state === 'missing') complain('nobody did that');
          // A change of it whose end nobody saw is told without an age.
          if (state === 'unknown' && reason !== unseenEnd) {
            const age = Number(/^not read for (\d+) seconds/.exec(reason ?? '')?.[1]);
            const last = held && answers.get(`${vault}/${held.version}`);
            const least = last === undefined ? NaN : Math.floor((world.now().getTime() - last.getTime()) / 1000);
            if (!(age >= least)) complain(`its age is ${least} s`);
          }
        }
      }
      return found;
    },

    lostOfOthers() {
      return [...original].flatMap(([vault, keys]) => {
        const now = describeAll(vaults.inspect(vault));
        return [...keys].filter(([name, was]) => now.get(name) !== was).map(([name]) => `${vault}/${name}`);
      });
    },
  };
}

function describeAll(keys: readonly InspectedKey[]): Map<string, string> {
  return new Map(keys.map((key) => [key.name, JSON.stringify(key)]));
}
