import { randomUUID } from 'node:crypto';

/** AADSTS codes that the stand-in answers with -> OAuth error and HTTP status. */
const kinds = {
  /** Client assertion is no readable token. */
  50027: ['invalid_request', 400],
  70003: ['unsupported_grant_type', 400],
  /** Scope can't be read, or names several resources. */
  70011: ['invalid_scope', 400],
  /** No such tenant. */
  90002: ['invalid_request', 400],
  /** A request that fits nowhere else. */
  90014: ['invalid_request', 400],
  /** No resource of that name in the tenant. */
  500011: ['invalid_resource', 400],
  /** No such application in the tenant. */
  700016: ['unauthorized_client', 400],
  /** Assertion outside its valid time. */
  700024: ['invalid_client', 401],
  /** Assertion's signature doesn't hold. */
  700027: ['invalid_client', 401],
  700211: ['invalid_client', 401],
  700212: ['invalid_client', 401],
  700213: ['invalid_client', 401],
  /** The tenant identifier is neither a GUID nor a domain name. */
  900023: ['invalid_request', 400],
  /** A parameter is missing. */
  900144: ['invalid_request', 400],
  /** Scope without `/.default`. */
  1002012: ['invalid_scope', 400],
  /** Wrong secret. */
  7000215: ['invalid_client', 401],
  /** No credential at all. */
  7000216: ['invalid_client', 401],
  /** Expired secret. */
  7000222: ['invalid_client', 401],
} as const satisfies Record<number, readonly [string, number]>;

export type AadstsCode = keyof typeof kinds;

/** A refusal as Entra words it. `message` goes to the caller and never repeats a credential. */
export class EntraError extends Error {
  override readonly name = 'EntraError';
  readonly code: AadstsCode;
  readonly status: number;

  constructor(code: AadstsCode, message: string) {
    super(message);
    this.code = code;
    this.status = kinds[code][1];
  }
}

/** @returns the JSON body of Entra's token endpoint for `error`. */
export function entraErrorBody(error: EntraError, now: Date, correlationId: string): Record<string, unknown> {
  return describe(kinds[error.code][0], error.code, error.message, now, correlationId);
}

/** @returns a body of the same shape for a failure of Entra itself, with a code of the caller's choice. */
export function entraFailureBody(status: number, code: number, now: Date, correlationId: string): object {
  const error = status === 429 || status >= 500 ? 'temporarily_unavailable' : 'invalid_request';
  return describe(error, code, 'The service could not complete the request.', now, correlationId);
}

function describe(error: string, code: number, message: string, now: Date, correlationId: string) {
  const traceId = randomUUID();
  const timestamp = now.toISOString().replace('T', ' ').replace(/\.\d+/, '');
  return {
    error,
    error_description: `AADSTS${code}: ${message} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
  };
}
