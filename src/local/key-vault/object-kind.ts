import { KeyVaultError } from './errors.ts';

/** Where keys and secrets differ in their addresses and words. */
export interface ObjectKind {
  noun: 'Key' | 'Secret';
  collection: 'keys' | 'secrets';
  deletedCollection: 'deletedkeys' | 'deletedsecrets';
}

export const keyKind: ObjectKind = { noun: 'Key', collection: 'keys', deletedCollection: 'deletedkeys' };
export const secretKind: ObjectKind = { noun: 'Secret', collection: 'secrets', deletedCollection: 'deletedsecrets' };

export function notFound(kind: ObjectKind, name: string, version = ''): KeyVaultError {
  const id = version === '' ? name : `${name}/${version}`;
  const text = `There is no ${kind.noun.toLowerCase()} (name/id) ${id} in this vault. It may have been deleted and be recoverable.`;
  return new KeyVaultError(404, `${kind.noun}NotFound`, text);
}

export function deletedNotFound(kind: ObjectKind, name: string): KeyVaultError {
  return new KeyVaultError(404, `${kind.noun}NotFound`, `There is no deleted ${kind.noun.toLowerCase()} ${name}.`);
}
