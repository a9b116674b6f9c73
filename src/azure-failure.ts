/**
 * What a call to an Azure service came to when it didn't succeed. The kinds answer two questions: did it have an
 * effect, and is it worth another try.
 *
 * - `forbidden`: the principal lacks a permission; no effect. Somebody may grant it later.
 * - `shut-out`: the vault's network rules don't let this service in; no effect. Says nothing about permissions.
 * - `credentials`: Entra refused the credentials, or they belong to another tenant; no effect.
 * - `no-such-vault`: the vault's name doesn't resolve; no effect. It may be created later.
 * - `refused`: the service understood the request and will never accept it (SKU, malformed); no effect.
 * - `absent`: the object isn't there. Only ever from the service's own answer.
 * - `conflict`: the name is held by a deleted, deleting or recovering object; no effect.
 * - `throttled`: too many requests; no effect.
 * - `unavailable`: the service couldn't be reached or failed on a call without effects.
 * - `unknown-outcome`: a change was sent and its outcome isn't known: it may have had its effect.
 */
export type AzureFailureKind =
  | 'forbidden'
  | 'shut-out'
  | 'credentials'
  | 'no-such-vault'
  | 'refused'
  | 'absent'
  | 'conflict'
  | 'throttled'
  | 'unavailable'
  | 'unknown-outcome';

/** A failure of an Azure service. `message` is fit for the caller: it names what was tried and why it failed. */
export class AzureFailure extends Error {
  override readonly name = 'AzureFailure';
  readonly kind: AzureFailureKind;
  /** Set when it is known how long to wait: the service said so, or our own pacing of calls. */
  readonly retryAfterSeconds: number | undefined;
  /** No call was made: our own pacing put it off. That is not a failed attempt. */
  readonly deferred: boolean;

  constructor(
    kind: AzureFailureKind,
    message: string,
    options?: ErrorOptions & { retryAfterSeconds?: number | undefined; deferred?: boolean },
  ) {
    super(message, options);
    this.kind = kind;
    this.retryAfterSeconds = options?.retryAfterSeconds;
    this.deferred = options?.deferred ?? false;
  }
}

/** @returns whether `error` is an {@link AzureFailure}, of one of `kinds` if any are given. */
export function isAzureFailure(error: unknown, ...kinds: AzureFailureKind[]): error is AzureFailure {
  return error instanceof AzureFailure && (kinds.length === 0 || kinds.includes(error.kind));
}
