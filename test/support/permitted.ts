import { AzureFailure } from '../../src/azure-failure.ts';
import type { TargetVault } from '../../src/key-vault/target-vault.ts';
import type { Permission } from './world.ts';

const needed: Partial<Record<keyof TargetVault, Permission>> = {
  getKey: 'get',
  getKeyVersion: 'get',
  getDeletedKey: 'get',
  createKeyExchangeKey: 'create',
  importWrapped: 'import',
  importPlain: 'import',
  updateVersion: 'update',
  deleteKey: 'delete',
  listVersions: 'list',
  listKeys: 'list',
  recoverKey: 'recover',
};

/** The same vault, to somebody who may do only what is allowed at the moment. */
export function permitted(vault: TargetVault, allowed: () => readonly Permission[]): TargetVault {
  return new Proxy(vault, {
    get(target, property: keyof TargetVault) {
      const method: unknown = Reflect.get(target, property);
      const permission = needed[property];
      if (permission === undefined || allowed().includes(permission)) return method;
      const failure = () =>
        new AzureFailure('forbidden', `Key Vault "${target.name}" doesn't permit "${permission}" to the service`);
      if (property !== 'listKeys') return () => Promise.reject(failure());
      return async function* () {
        throw failure();
      };
    },
  });
}
