import { badParameter } from './errors.ts';
import type { OperationRequest, Reply } from './operation.ts';
import { ok } from './operation.ts';

const maximumPageSize = 25;

interface Page<Item> {
  items: Item[];
  next?: string;
}

/**
 * Answers one page of a list, 25 items or `maxresults` at most. The link to the next page repeats the api-version and
 * `maxresults` of the request and holds an opaque token.
 * @throws KeyVaultError 400 for a bad `maxresults` or `$skiptoken`
 */
export function listPage<Item>(
  request: OperationRequest,
  path: string,
  read: (from: string, count: number) => Page<Item>,
  itemOf: (item: Item) => object,
): Reply {
  const asked = request.query.get('maxresults');
  const count = asked === null ? maximumPageSize : Number(asked);
  if (!Number.isInteger(count) || count < 1 || count > maximumPageSize) {
    throw badParameter(`maxresults must be from 1 to ${maximumPageSize}.`);
  }
  const { items, next } = read(readToken(request.query.get('$skiptoken')), count);
  return ok({
    value: items.map(itemOf),
    nextLink: next === undefined ? null : linkTo(request, path, next, asked),
  });
}

function linkTo(request: OperationRequest, path: string, marker: string, asked: string | null): string {
  const token = JSON.stringify({ NextMarker: Buffer.from(marker).toString('base64'), TargetLocation: 0 });
  const authority = request.authority.includes(':') ? request.authority : `${request.authority}:443`;
  const version = encodeURIComponent(request.query.get('api-version') ?? '');
  const size = asked === null ? '' : `&maxresults=${asked}`;
  return `https://${authority}/${path}?api-version=${version}&$skiptoken=${Buffer.from(token).toString('base64url')}${size}`;
}

function readToken(token: string | null): string {
  if (token === null) return '';
  try {
    const parsed = JSON.parse(Buffer.from(token, 'base64url').toString()) as { NextMarker?: unknown };
    if (typeof parsed.NextMarker === 'string') return Buffer.from(parsed.NextMarker, 'base64').toString();
  } catch {
    // Not JSON: refused below.
  }
  throw badParameter('The $skiptoken is invalid.');
}
