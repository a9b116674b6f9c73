import type { KeyCheck } from './keys.ts';
import type { RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import type { HostResponse } from './response.ts';

export interface HostEndpointsOptions {
  keys: KeyCheck;
  functions: readonly { name: string; trigger: string }[];
  /** Starts a function that no request triggers. @returns false when there is none of this name */
  runFunction: (name: string) => boolean;
  hostVersion: string;
}

/** @returns undefined for a path that isn't the host's own, which is then a function's */
export type HostEndpoints = (head: RequestHead, body: RequestBody) => Promise<HostResponse | undefined>;

const ok: HostResponse = { status: 200, headers: [] };
const unauthorized: HostResponse = { status: 401, headers: [['WWW-Authenticate', 'Bearer']] };

/** The paths that the host answers by itself, whatever the app has registered. */
export function createHostEndpoints({
  keys,
  functions,
  runFunction,
  hostVersion,
}: HostEndpointsOptions): HostEndpoints {
  return async (head, body) => {
    const path = head.target.path.toLowerCase().replace(/(?<=.)\/$/, '');
    if (path === '/admin/host/ping' || path === '/admin/warmup') return ok;

    const [, name] = /^\/admin\/functions\/([^/]+)$/.exec(path) ?? [];
    const isGuarded =
      path === '/admin/host/status' ||
      path === '/admin/functions' ||
      name !== undefined ||
      path.startsWith('/runtime/webhooks/');
    if (!isGuarded) return undefined;
    if (!keys.isAdministrator(head)) return unauthorized;
    if (path === '/admin/host/status') return json({ id: 'local', state: 'Running', version: hostVersion });
    if (path === '/admin/functions') return json(functions.map((one) => ({ name: one.name, trigger: one.trigger })));
    if (name === undefined || head.method !== 'POST') return { status: 404, headers: [] };
    await body.read();
    return { status: runFunction(name) ? 202 : 404, headers: [] };
  };
}

function json(value: unknown): HostResponse {
  return {
    status: 200,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body: Buffer.from(JSON.stringify(value)),
  };
}
