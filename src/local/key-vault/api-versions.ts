import { badParameter } from './errors.ts';

const known: readonly string[] = [
  '2016-10-01',
  '7.0',
  '7.1',
  '7.2',
  '7.3',
  '7.4',
  '7.5',
  '7.6-preview.2',
  '7.6',
  '2025-07-01',
  '2026-04-01',
];

/** @throws KeyVaultError 400 for a request without an api-version, or with one that doesn't exist */
export function demandApiVersion(query: URLSearchParams): void {
  const version = query.get('api-version');
  if (version === null) throw badParameter('api-version must be specified.');
  if (!known.includes(version))
    throw badParameter(`The api-version '${version}' isn't known; the latest is ${known.at(-1)}.`);
}
