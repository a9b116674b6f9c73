import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Faults } from '../faults.ts';
import type { Principal, VerifyToken } from '../principals.ts';
import { demandApiVersion } from './api-versions.ts';
import { createAuthentication } from './authentication.ts';
import type { KeyVaultCall } from './calls.ts';
import { forbidden } from './errors.ts';
import { isPage, suffer, sufferPage } from './fault-effects.ts';
import { answerTo, readBody, writeAnswer, type Answer } from './http-answer.ts';
import type { BudgetGroup, OperationRequest } from './operation.ts';
import type { RouteMatch } from './router.ts';
import type { Vault } from './vault.ts';

export interface ServeOptions {
  verify: VerifyToken;
  authorityHost: string;
  faults: Faults;
  now: () => Date;
  match(method: string, pathname: string): RouteMatch;
  /** Brings the vault up to its clock. */
  prepare(vault: Vault): Promise<void>;
  /** Charges the call to the vault's budgets. @throws KeyVaultError 429 */
  charge(request: OperationRequest, budget: BudgetGroup): void;
  record(call: KeyVaultCall): void;
}

/** Answers one request to a vault; never rejects. */
export type Serve = (vault: Vault, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Every request passes these stages in this order, and is refused at the first that it fails: token, firewall,
 * api-version, route and name, permission, body, fault, budget, operation.
 */
export function createServe(options: ServeOptions): Serve {
  const authenticate = createAuthentication(options);

  const operate = async (
    vault: Vault,
    request: IncomingMessage,
    principal: Principal,
    reached: (match: RouteMatch) => void,
  ): Promise<Answer | 'closed'> => {
    demandAddress(vault, request.socket.remoteAddress ?? '', principal);
    const url = new URL(`https://vault${request.url ?? '/'}`);
    demandApiVersion(url.searchParams);
    const match = options.match(request.method ?? '', url.pathname);
    reached(match);
    const { operation, name, version } = match;
    vault.access.demand(principal, operation.name);
    const body = await readBody(request);
    const authority = request.headers.host ?? '';
    const input: OperationRequest = { vault, authority, name, version, query: url.searchParams, body };
    const run = async (): Promise<Answer> => {
      await options.prepare(vault);
      options.charge(input, operation.budget);
      return operation.run(input);
    };
    const answer = await suffer(options.faults.take('key-vault', operation.name, name), () => attempt(run));
    if (answer === 'closed' || !isPage(answer)) return answer;
    const fault = options.faults.takePage('key-vault', operation.name, name);
    return sufferPage(fault, answer, `https://${authority}${request.url ?? '/'}`);
  };

  return async (vault, request, response) => {
    const time = options.now();
    let call: Omit<KeyVaultCall, 'status'> | undefined;
    let principal: Principal | undefined;
    const answer = await attempt<'closed'>(async () => {
      call = { vault: vault.name, operation: 'challenge', name: '', clientId: '', time };
      const caller = await authenticate(vault, request.headers.authorization);
      principal = caller;
      call = undefined;
      return operate(vault, request, caller, ({ operation, name }) => {
        call = { vault: vault.name, operation: operation.name, name, clientId: caller.clientId, time };
      });
    });
    if (call) options.record({ ...call, status: answer === 'closed' ? 0 : answer.status });
    if (answer === 'closed') {
      request.socket.destroy();
      return;
    }
    // What wasn't read of the request must go, or the connection can't be used again.
    request.resume();
    writeAnswer(request, response, {
      ...answer,
      headers: { ...answer.headers, ...assignmentHeader(vault, principal) },
    });
  };
}

async function attempt<Other = never>(run: () => Promise<Answer | Other> | Answer): Promise<Answer | Other> {
  try {
    return await run();
  } catch (error) {
    return answerTo(error);
  }
}

function demandAddress(vault: Vault, address: string, principal: Principal): void {
  if (!vault.allowedAddresses || vault.allowedAddresses.includes(address)) return;
  const caller = `appid=${principal.clientId};oid=${principal.objectId}`;
  const text = `Client address isn't authorized.\nClient address: ${address}\nCaller: ${caller}\nVault: ${vault.name}`;
  throw forbidden(text, 'ForbiddenByFirewall');
}

/** Which role assignment let the caller in, or failed to: on authenticated answers of RBAC vaults. */
function assignmentHeader(vault: Vault, principal: Principal | undefined): Record<string, string> {
  if (!principal || vault.access.model !== 'rbac') return {};
  return { 'x-ms-keyvault-rbac-assignment-id': vault.access.assignmentId };
}
