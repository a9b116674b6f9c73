import type { KeyVault } from './key-vault.ts';
import type { Report } from './report.ts';
import type { Service } from './service.ts';

/** What every step works with. */
export interface Tools {
  report: Report;
  service: Service;
  keyVault: KeyVault;
}

/** Where this run's keys are, below the engine's mount. */
export interface Paths {
  mount: string;
  key(name: KeyName): string;
  provider: string;
  distribution(name: KeyName): string;
}

export type KeyName = 'rsa-1' | 'rsa-2';

/** @returns the paths of a run whose engine is at `mount`. */
export function pathsBelow(mount: string): Paths {
  const provider = `${mount}/kms/keyvault`;
  return {
    mount,
    key: (name) => `${mount}/key/${name}`,
    provider,
    distribution: (name) => `${provider}/key/${name}`,
  };
}
