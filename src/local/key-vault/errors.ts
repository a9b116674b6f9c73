/**
 * A refusal as Key Vault words it: `{"error":{"code","message","innererror":{"code"}}}`. Clients act on the status and the
 * two codes alone, so these are Key Vault's; the texts are our own.
 */
export class KeyVaultError extends Error {
  override readonly name = 'KeyVaultError';
  readonly status: number;
  readonly code: string;
  readonly innerCode: string | undefined;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    options: { innerCode?: string; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.innerCode = options.innerCode;
    this.headers = options.headers ?? {};
  }

  /** The JSON body of the answer. */
  body(): object {
    const innererror = this.innerCode === undefined ? {} : { innererror: { code: this.innerCode } };
    return { error: { code: this.code, message: this.message, ...innererror } };
  }
}

export const badParameter = (message: string): KeyVaultError => new KeyVaultError(400, 'BadParameter', message);

export const invalidProperty = (property: string): KeyVaultError =>
  badParameter(`The value of property '${property}' is invalid.`);

export const forbidden = (message: string, innerCode?: string): KeyVaultError =>
  new KeyVaultError(403, 'Forbidden', message, innerCode === undefined ? {} : { innerCode });

export const conflict = (message: string, innerCode?: string): KeyVaultError =>
  new KeyVaultError(409, 'Conflict', message, innerCode === undefined ? {} : { innerCode });

export const methodNotAllowed = (method: string): KeyVaultError =>
  new KeyVaultError(405, 'MethodNotAllowed', `Method ${method} isn't allowed here.`);

export const notImplemented = (what: string): KeyVaultError =>
  new KeyVaultError(501, 'NotImplemented', `This Key Vault stand-in has no ${what}.`);

export const throttled = (reason: string, retryAfterSeconds?: number): KeyVaultError =>
  new KeyVaultError(429, 'Throttled', `Too many requests in the last seconds. Reason: ${reason}`, {
    headers: retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) },
  });
