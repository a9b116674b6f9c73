import { createPublicKey } from 'node:crypto';
import type { KeyVaultStandIn } from '../../src/local/key-vault/index.ts';
import type { KeyLedger } from './ledger.ts';
import type { ServiceClient } from './service.ts';
import { modulusOf, numberOf, ownerOf, type VaultWatch } from './vault-watch.ts';

export interface Agreement {
  /** What isn't as it should be of a key, here or in a vault; nothing once all agree. */
  look(ledger: KeyLedger): Promise<readonly string[]>;
  /** What is in the vaults and shouldn't be. Only after every key has been found in agreement. */
  leftovers(): readonly string[];
}

export interface AgreementOptions {
  service: ServiceClient;
  keyVault: KeyVaultStandIn;
  watch: VaultWatch;
  vaults: readonly string[];
  mount: string;
  /** Names of others' keys, the same in every vault. */
  foreign: readonly string[];
}

interface KeyData {
  latest_version: number;
  min_enabled_version: number;
  versions: Record<string, { public_key: string }>;
}

/** Compares what callers are told with what they asked for, and both with what the vaults hold. */
export function createAgreement(options: AgreementOptions): Agreement {
  const { service, keyVault, watch, vaults, mount, foreign } = options;
  /** Of every place that was found to agree. */
  const expected = new Set<string>();

  async function look(ledger: KeyLedger): Promise<readonly string[]> {
    const { name } = ledger;
    const problems: string[] = [];
    const key = await service.read('GET', `key/${name}`);
    if (key.status !== 200) return [`${name}: ${key.reason}`];
    const data = key.data as unknown as KeyData;
    const latest = data.latest_version;
    if (latest < ledger.leastLatest) problems.push(`${name} lost a rotation: ${latest} of ${ledger.leastLatest}`);
    if (latest > ledger.mostLatest) problems.push(`${name} has more versions than rotations: ${latest}`);
    if (!ledger.minimums.has(data.min_enabled_version)) {
      problems.push(`the minimum of ${name} is ${data.min_enabled_version}, not one of ${[...ledger.minimums].join()}`);
    }
    for (const [version, { public_key: pem }] of Object.entries(data.versions)) {
      watch.expectPublicKey(name, Number(version), createPublicKey(pem).export({ format: 'jwk' }).n ?? '');
    }
    const { data: places } = await service.read('LIST', `key/${name}/kms`);
    const listed = (places['keys'] ?? []) as string[];
    for (const vault of vaults) {
      const wanted = ledger.wanted(vault) ?? listed.includes(vault);
      if (listed.includes(vault) !== wanted) problems.push(`${name} should ${wanted ? '' : 'not '}be in ${vault}`);
      if (listed.includes(vault)) problems.push(...(await lookAtPlace(name, vault, data)));
    }
    return problems;
  }

  async function lookAtPlace(name: string, vault: string, key: KeyData): Promise<string[]> {
    const { data, warnings, status, reason } = await service.read('GET', `kms/${vault}/key/${name}`);
    if (status !== 200) return [`${name} in ${vault}: ${reason}`];
    const place = data as unknown as { name: string; versions: Record<string, string> };
    const where = `${vault}/${place.name}`;
    const problems = warnings.map((warning) => `${where}: ${warning}`);
    const held = keyVault.inspect(vault).key(place.name);
    if (held === undefined || held.deleted) return [...problems, `${where} is not in the vault`];
    const numbers = Array.from({ length: key.latest_version }, (_, index) => index + 1);
    if (held.versions.map(numberOf).join() !== numbers.join()) {
      problems.push(`${where} has versions ${held.versions.map(numberOf).join()} of ${key.latest_version}`);
    }
    for (const one of held.versions) {
      const number = numberOf(one);
      if (place.versions[number] !== one.version) problems.push(`${where} is not told the id of version ${number}`);
      if (one.enabled !== number >= key.min_enabled_version) {
        problems.push(`version ${number} of ${where} is ${one.enabled ? 'enabled' : 'disabled'}`);
      }
      if ([...one.operations].sort().join() !== 'decrypt,encrypt') {
        problems.push(`version ${number} of ${where} permits ${one.operations.join()}`);
      }
      watch.expectPublicKey(name, number, modulusOf(one));
    }
    if (problems.length === 0) expected.add(where);
    return problems;
  }

  function leftovers(): readonly string[] {
    return vaults.flatMap((vault) => {
      const live = keyVault
        .inspect(vault)
        .keys()
        .filter(({ deleted }) => !deleted);
      const exchangeKeys = live.filter(({ name }) => name.startsWith('keyfleet-kek-'));
      const others = live.filter((key) => !exchangeKeys.includes(key) && !foreign.includes(key.name));
      return [
        ...(exchangeKeys.length === 1 ? [] : [`${vault} has ${exchangeKeys.length} key exchange keys`]),
        ...others
          .filter(({ name }) => !expected.has(`${vault}/${name}`))
          .map((key) => `${vault}/${key.name} was left behind, a key of ${ownerOf(key, mount)?.key ?? 'nobody'}`),
      ];
    });
  }

  return { look, leftovers };
}
