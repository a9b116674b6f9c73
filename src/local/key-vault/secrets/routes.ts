import { objectOperations } from '../object-operations.ts';
import type { Route } from '../router.ts';
import { secretView } from './bundle.ts';
import { getSecret, setSecret, updateSecret } from './set-get-update.ts';

/** Everything on secrets. */
export function secretRoutes(): Route[] {
  const secrets = objectOperations(secretView);
  return [
    { method: 'GET', path: '/secrets', name: 'listSecrets', budget: 'other', run: secrets.list },
    { method: 'POST', path: '/secrets/restore', name: 'restoreSecret', budget: 'other', run: secrets.restore },
    { method: 'PUT', path: '/secrets/:name', name: 'setSecret', budget: 'import', run: setSecret },
    { method: 'DELETE', path: '/secrets/:name', name: 'deleteSecret', budget: 'other', run: secrets.remove },
    {
      method: 'GET',
      path: '/secrets/:name/versions',
      name: 'secretVersions',
      budget: 'other',
      run: secrets.listVersions,
    },
    { method: 'POST', path: '/secrets/:name/backup', name: 'backupSecret', budget: 'other', run: secrets.backup },
    { method: 'GET', path: '/secrets/:name', name: 'getSecret', budget: 'other', run: getSecret },
    { method: 'GET', path: '/secrets/:name/:version', name: 'getSecret', budget: 'other', run: getSecret },
    { method: 'PATCH', path: '/secrets/:name', name: 'updateSecret', budget: 'other', run: updateSecret },
    { method: 'PATCH', path: '/secrets/:name/:version', name: 'updateSecret', budget: 'other', run: updateSecret },
    { method: 'GET', path: '/deletedsecrets', name: 'listDeletedSecrets', budget: 'other', run: secrets.listDeleted },
    {
      method: 'GET',
      path: '/deletedsecrets/:name',
      name: 'getDeletedSecret',
      budget: 'other',
      run: secrets.getDeleted,
    },
    { method: 'DELETE', path: '/deletedsecrets/:name', name: 'purgeSecret', budget: 'other', run: secrets.purge },
    {
      method: 'POST',
      path: '/deletedsecrets/:name/recover',
      name: 'recoverSecret',
      budget: 'other',
      run: secrets.recover,
    },
  ];
}
