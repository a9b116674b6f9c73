import { randomUUID } from 'node:crypto';
import { KeyfleetError } from '../errors.ts';
import { accessOf } from './access.ts';
import { createAuthentication } from './authentication.ts';
import { isAllowed } from './authorisation.ts';
import { readBodyFields } from './body.ts';
import { createBuiltins, type BuiltinsOptions } from './builtins.ts';
import { takeDryRun } from './dry-run.ts';
import { deniedByPolicy, nothingThere, renderError, unsupportedVerb } from './errors.ts';
import { type Log, summariseError } from './log.ts';
import { once } from './once.ts';
import { operationOf } from './operations.ts';
import { longestMount } from './mount-paths.ts';
import { canonicalisePath } from './paths.ts';
import type { ExistenceCheck } from './policies/existence.ts';
import { createPolicies } from './policies/policies.ts';
import type { VaultRequest, VaultResponse } from './protocol.ts';
import { parseQuery } from './query.ts';
import { createRateLimit, renderRateLimited } from './rate-limit.ts';
import { checkNamespace, prefersAsync, refuseWrapping } from './request-headers.ts';
import { createRouter } from './router.ts';
import { createStatusEndpoints } from './system/status.ts';

export interface VaultApiOptions extends Omit<BuiltinsOptions, 'newUuid'> {
  /** Where engines can tell what exists, so that policies can tell creating from updating. */
  existenceChecks?: readonly ExistenceCheck[];
  clusterName: string;
  log: Log;
  /** What one caller may do; without it there is no limit. */
  requestsPerSecond?: number;
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
  const { mounts, engines, log, maxBodyBytes = 1024 * 1024, newUuid = randomUUID, existenceChecks = [] } = options;
  const statusEndpoints = createStatusEndpoints(options);
  const builtins = createBuiltins({ ...options, newUuid });
  const router = createRouter({ engines, builtins });
  const policies = createPolicies({ store: options.policies });
  const authentication = createAuthentication({ ...options, policies });
  const { requestsPerSecond, now } = options;
  const rateLimit = requestsPerSecond === undefined ? undefined : createRateLimit({ requestsPerSecond, now });

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
    const readMounts = once(() => mounts.read());
    // An engine's request needs them in any case: they come while the token is looked up. A failure is told by who waits.
    if (longestMount(builtins, path) === undefined) readMounts().catch(() => undefined);
    const session = access === 'login' ? undefined : await authentication.authenticate(headers, access, readMounts);
    const waitSeconds = session && rateLimit ? rateLimit.take(session.record.accessor) : 0;
    if (waitSeconds > 0) return renderRateLimited(path, waitSeconds);
    if (access === 'policy' || access === 'sudo') {
      const question = { needsSudo: access === 'sudo', operation, path, readMounts };
      const allowed = session && (await isAllowed({ ...question, session }, existenceChecks));
      if (allowed !== true) throw deniedByPolicy();
    }
    refuseWrapping(headers);
    const writes = operation === 'write' || operation === 'patch';
    const sent = writes ? readBodyFields(request, operation, maxBodyBytes) : parameters;
    const wishes = { ...takeDryRun(operation, parameters, sent), preferAsync: prefersAsync(headers) };
    return router.route({ requestId, operation, path, trailingSlash, ...wishes, session, readMounts });
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
