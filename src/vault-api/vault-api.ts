import { randomUUID } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import type { MountStore } from '../state/mounts.ts';
import type { TokenStore } from '../state/tokens.ts';
import { accessOf } from './access.ts';
import { authenticate } from './authentication.ts';
import { readBodyFields } from './body.ts';
import type { Engine } from './engine.ts';
import { deniedByPolicy, nothingThere, renderError, unsupportedVerb } from './errors.ts';
import { type Log, summariseError } from './log.ts';
import { operationOf } from './operations.ts';
import { canonicalisePath } from './paths.ts';
import { isAllowed } from './policy.ts';
import type { VaultRequest, VaultResponse } from './protocol.ts';
import { parseQuery } from './query.ts';
import { checkNamespace, prefersAsync, refuseWrapping } from './request-headers.ts';
import { createRouter, routedPath } from './router.ts';
import { createStatusEndpoints } from './system/status.ts';
import { createSystemBackend } from './system/system-backend.ts';
import { createTokenBackend } from './token-backend.ts';

export interface VaultApiOptions {
  mounts: MountStore;
  tokens: TokenStore;
  engines: readonly Engine[];
  /** As `sys/seal-status` reports it. Clients read it as strict semver and switch features by it: `2.0.0+ent`. */
  version: string;
  clusterName: string;
  /** Stays the same for as long as the service's data does. */
  clusterId: string;
  now: () => Date;
  log: Log;
  /** Largest request body; 1 MiB unless given. */
  maxBodyBytes?: number;
  newUuid?: () => string;
}

export interface VaultApi {
  /** Answers in every case, refusals and failures included. */
  handle(request: VaultRequest): Promise<VaultResponse>;
}

/** Vault's HTTP API over any number of secrets engines. */
export function createVaultApi(options: VaultApiOptions): VaultApi {
  const { mounts, tokens, engines, now, log, maxBodyBytes = 1024 * 1024, newUuid = randomUUID } = options;
  const statusEndpoints = createStatusEndpoints(options);
  const router = createRouter({
    mounts,
    engines,
    builtins: [createSystemBackend({ ...options, newUuid }), createTokenBackend({ tokens, now, newUuid })],
  });

  async function answer(request: VaultRequest, requestId: string): Promise<VaultResponse> {
    const { method, headers } = request;
    const { path, trailingSlash, query } = canonicalisePath(request.url, request.pathParameter);
    checkNamespace(headers);
    const parameters = parseQuery(query);
    const access = accessOf(trailingSlash ? `${path}/` : path);
    if (access === 'open') {
      if (method !== 'GET' && method !== 'HEAD') throw unsupportedVerb();
      return (statusEndpoints.get(path) ?? notThere)(parameters);
    }

    const operation = operationOf(method, parameters);
    const session = await authenticate({ tokens, now }, headers, access);
    if (operation !== 'help' && access === 'policy') {
      const policies = session?.record.policies ?? [];
      if (!isAllowed(policies, operation, routedPath({ path, operation }))) throw deniedByPolicy();
    }
    refuseWrapping(headers);
    const writes = operation === 'write' || operation === 'patch';
    const fields = writes ? readBodyFields(request, operation, maxBodyBytes) : parameters;
    const preferAsync = prefersAsync(headers);
    return router.route({ requestId, operation, path, trailingSlash, fields, session, preferAsync });
  }

  function report(request: VaultRequest, requestId: string, status: number, error: unknown): void {
    const expected = error instanceof KeyfleetError && status < 500;
    if (expected && error.cause === undefined) return;
    log({
      level: expected ? 'warning' : 'error',
      message: expected ? 'request refused' : 'request failed',
      requestId,
      method: request.method,
      status,
      errors: summariseError(error),
    });
  }

  return {
    async handle(request) {
      let requestId = '';
      let response: VaultResponse;
      try {
        requestId = newUuid();
        response = await answer(request, requestId);
      } catch (error) {
        response = renderError(error);
        try {
          report(request, requestId, response.status, error);
        } catch {
          // A log that is broken must not take the answer with it.
        }
      }
      return request.method === 'HEAD' ? { status: response.status, headers: response.headers } : response;
    },
  };
}

function notThere(): never {
  throw nothingThere();
}
