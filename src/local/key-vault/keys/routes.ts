import { badParameter } from '../errors.ts';
import type { OperationRequest } from '../operation.ts';
import { objectOperations } from '../object-operations.ts';
import type { Route } from '../router.ts';
import { keyView } from './bundle.ts';
import { createCreate, type GenerateMaterial } from './create.ts';
import * as crypto from './crypto-operations.ts';
import { getKey, updateKey } from './get-update.ts';
import { importKey } from './import.ts';
import { getRotationPolicy, setRotationPolicy } from './rotation-policy-operations.ts';
import { createRotate } from './rotation.ts';

/** Everything on keys. `generate` makes the material of new keys. */
export function keyRoutes(generate: GenerateMaterial): Route[] {
  const keys = objectOperations(keyView);
  const create = createCreate(generate);
  const rotate = createRotate(generate);
  return [
    { method: 'GET', path: '/keys', name: 'list', budget: 'other', run: keys.list },
    { method: 'POST', path: '/keys/:name/create', name: 'create', budget: 'create-key', run: create },
    { method: 'POST', path: '/keys/restore', name: 'restore', budget: 'other', run: keys.restore },
    { method: 'POST', path: '/keys/:name/backup', name: 'backup', budget: 'use-key', run: keys.backup },
    { method: 'POST', path: '/keys/:name/rotate', name: 'rotate', budget: 'create-key', run: rotate },
    {
      method: 'GET',
      path: '/keys/:name/rotationpolicy',
      name: 'getRotationPolicy',
      budget: 'use-key',
      run: getRotationPolicy,
    },
    {
      method: 'PUT',
      path: '/keys/:name/rotationpolicy',
      name: 'setRotationPolicy',
      budget: 'use-key',
      run: setRotationPolicy,
    },
    { method: 'PUT', path: '/keys/:name', name: 'import', budget: 'import', run: importKey },
    { method: 'DELETE', path: '/keys/:name', name: 'delete', budget: 'use-key', run: keys.remove },
    { method: 'GET', path: '/keys/:name/versions', name: 'versions', budget: 'other', run: keys.listVersions },
    { method: 'GET', path: '/keys/:name', name: 'get', budget: 'use-key', run: getKey },
    { method: 'GET', path: '/keys/:name/:version', name: 'get', budget: 'use-key', run: getKey },
    { method: 'PATCH', path: '/keys/:name', name: 'update', budget: 'use-key', run: updateKey },
    { method: 'PATCH', path: '/keys/:name/:version', name: 'update', budget: 'use-key', run: updateKey },
    { method: 'POST', path: '/keys/:name/:version/encrypt', name: 'encrypt', budget: 'use-key', run: crypto.encrypt },
    { method: 'POST', path: '/keys/:name/:version/decrypt', name: 'decrypt', budget: 'use-key', run: crypto.decrypt },
    { method: 'POST', path: '/keys/:name/:version/sign', name: 'sign', budget: 'use-key', run: crypto.sign },
    { method: 'POST', path: '/keys/:name/:version/verify', name: 'verify', budget: 'use-key', run: crypto.verify },
    { method: 'POST', path: '/keys/:name/:version/wrapkey', name: 'wrapKey', budget: 'use-key', run: crypto.wrapKey },
    {
      method: 'POST',
      path: '/keys/:name/:version/unwrapkey',
      name: 'unwrapKey',
      budget: 'use-key',
      run: crypto.unwrapKey,
    },
    { method: 'POST', path: '/keys/:name/:version/release', name: 'release', budget: 'use-key', run: release },
    {
      method: 'GET',
      path: '/keys/:name/:version/attestation',
      name: 'attestation',
      budget: 'use-key',
      run: attestation,
    },
    { method: 'POST', path: '/rng', name: 'randomBytes', budget: 'other', run: randomBytes },
    { method: 'GET', path: '/deletedkeys', name: 'listDeleted', budget: 'other', run: keys.listDeleted },
    { method: 'GET', path: '/deletedkeys/:name', name: 'getDeleted', budget: 'other', run: keys.getDeleted },
    { method: 'DELETE', path: '/deletedkeys/:name', name: 'purge', budget: 'other', run: keys.purge },
    { method: 'POST', path: '/deletedkeys/:name/recover', name: 'recover', budget: 'other', run: keys.recover },
  ];
}

/** No key here is exportable, and that is what a vault says of a key that isn't. */
function release(request: OperationRequest): never {
  request.vault.keys.version(request.name, request.version);
  throw badParameter('The key is not exportable.');
}

function attestation(request: OperationRequest): never {
  request.vault.keys.version(request.name, request.version);
  throw badParameter('This vault offers no key attestation.');
}

function randomBytes(): never {
  throw badParameter('Random bytes are for managed HSMs alone.');
}
