import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { renderError, renderUnavailable } from '../../vault-api/errors.ts';
import type { VaultRequest, VaultResponse } from '../../vault-api/protocol.ts';
import { logError } from '../log.ts';
import type { StartedApp } from '../started-app.ts';

/** Vault's HTTP API. Never throws: the host would answer with an empty 500. */
export function createVaultHandler(started: StartedApp): (request: HttpRequest) => Promise<HttpResponseInit> {
  return async (request) => {
    try {
      if (started.app === undefined) return toHttpResponse(renderUnavailable(started.reason));
      return toHttpResponse(await started.app.vaultApi.handle(await toVaultRequest(request)));
    } catch (error) {
      logError('a request could not be translated', error);
      return toHttpResponse(renderError(error));
    }
  };
}

async function toVaultRequest(request: HttpRequest): Promise<VaultRequest> {
  const { method, url, headers, params } = request;
  const body = request.body === null ? null : Buffer.from(await request.arrayBuffer());
  return { method, url, headers, body, ...(params.path !== undefined && { pathParameter: params.path }) };
}

function toHttpResponse({ status, headers, body }: VaultResponse): HttpResponseInit {
  return { status, headers, ...(body !== undefined && { body }) };
}
