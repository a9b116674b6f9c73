import type { OperationName } from './permissions.ts';

/** One request that a vault answered or, by a fault, closed the connection on. */
export interface KeyVaultCall {
  vault: string;
  /** `challenge` for a request that was answered 401, whatever it was after. */
  operation: OperationName | 'challenge';
  /** Name of the key or secret as the caller wrote it; empty for operations on a collection. */
  name: string;
  /** HTTP status; 0 where the connection was closed without an answer. */
  status: number;
  /** Of the caller; empty for a challenge. */
  clientId: string;
  /** When the request came in. */
  time: Date;
}
