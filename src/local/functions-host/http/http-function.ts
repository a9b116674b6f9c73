import type {
  RpcBinding,
  RpcFunctionMetadata,
  RpcInvocationResponse,
  RpcNullableString,
  RpcTypedData,
} from '../rpc.ts';
import type { HttpFunction } from '../routing/route-table.ts';
import type { RouteValues } from '../routing/template.ts';
import { formatCookie } from './cookies.ts';
import type { AuthLevel } from './keys.ts';
import type { RequestHead } from './request-head.ts';
import type { HostResponse } from './response.ts';
import { encodePath, parseQuery } from './target.ts';

export interface HttpTrigger extends HttpFunction {
  authLevel: AuthLevel;
  bindingName: string;
}

export function readHttpTrigger({ name }: RpcFunctionMetadata, bindingName: string, binding: RpcBinding): HttpTrigger {
  const { route, methods, authLevel } = binding as RpcBinding & Partial<HttpTrigger>;
  return {
    name,
    bindingName,
    route: route ?? name,
    methods: methods ?? [],
    authLevel: (authLevel ?? 'anonymous').toLowerCase() as AuthLevel,
  };
}

/** What the function gets to see of a request. A path's escapes are decoded once and encoded again on the way. */
export function toRpcRequest(head: RequestHead, values: RouteValues, body: Uint8Array | undefined): RpcTypedData {
  const { method, host, target, headers } = head;
  return {
    http: {
      method,
      url: `http://${host}${encodePath(target.path)}${target.rawQuery}`,
      nullableHeaders: nullable(headers),
      nullableQuery: nullable(Object.entries(parseQuery(target.rawQuery))),
      nullableParams: nullable(Object.entries(values)),
      ...(body && body.length > 0 ? { body: { bytes: body } } : {}),
    },
  };
}

function nullable(entries: Iterable<readonly [string, string]>): Record<string, RpcNullableString> {
  return Object.fromEntries(Array.from(entries, ([name, value]) => [name, { value }]));
}

/** A function that returns nothing answers 204. */
export function fromRpcResponse({ returnValue }: RpcInvocationResponse): HostResponse {
  if (!returnValue?.http) return { status: 204, headers: [] };
  const { statusCode, headers = {}, cookies = [], body } = returnValue.http;
  return {
    status: Number(statusCode),
    headers: [...Object.entries(headers), ...cookies.map((cookie) => ['Set-Cookie', formatCookie(cookie)] as const)],
    body: body?.bytes,
  };
}
