/**
 * Every way Keyfleet refuses or fails, in one closed table: code -> HTTP status.
 * Statuses follow Vault: what the caller can mend is 400 and is never retried by Vault's clients, 5xx is.
 */
const statusByCode = {
  /** A field is missing, malformed or has a value that can't be. */
  invalid_request: 400,
  /** The request contradicts what is stored: an immutable field, a key still distributed. */
  conflict: 400,
  /** Azure understood us and said no: permission, SKU, no such vault, credentials. */
  upstream_refused: 400,
  permission_denied: 403,
  invalid_token: 403,
  not_found: 404,
  unknown_mount: 404,
  unsupported_path: 404,
  unsupported_operation: 405,
  length_required: 411,
  body_too_large: 413,
  unsupported_media_type: 415,
  internal: 500,
  /** Nobody said no, but it can't be done now: Keyfleet's settings, its own store, bus or home vault, or a vault that doesn't answer. */
  unavailable: 503,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof statusByCode;

/**
 * The only error that rooms throw on purpose. `message` is shown to the caller: it names the field and the way out and
 * never holds a secret. What helps operators alone goes into `cause`.
 */
export class KeyfleetError extends Error {
  override readonly name = 'KeyfleetError';
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = statusByCode[code];
  }
}

/** @returns whether `error` is a {@link KeyfleetError}, with one of `codes` if any are given. */
export function isKeyfleetError(error: unknown, ...codes: ErrorCode[]): error is KeyfleetError {
  return error instanceof KeyfleetError && (codes.length === 0 || codes.includes(error.code));
}
