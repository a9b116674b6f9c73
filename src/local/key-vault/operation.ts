import type { OperationName } from './permissions.ts';
import type { Vault } from './vault.ts';

/** One authorised call, as an operation sees it. */
export interface OperationRequest {
  vault: Vault;
  /** Host and port that the request came by: ids in the answer use it. */
  authority: string;
  /** Empty for operations on the collection. */
  name: string;
  /** Empty for the newest. */
  version: string;
  query: URLSearchParams;
  /** Parsed JSON; undefined if there was none. */
  body: unknown;
}

export interface Reply {
  status: number;
  /** Absent for an answer without content. */
  body?: object;
}

/** What a call is charged to while the vault throttles. */
export type BudgetGroup =
  /** Making a key: few, with a budget for HSM keys and one for software keys. */
  | 'create-key'
  /** Importing a key or setting a secret: one budget for both. */
  | 'import'
  /** Anything else on one key: weighed by its type and size. */
  | 'use-key'
  | 'other';

export interface Operation {
  name: OperationName;
  budget: BudgetGroup;
  run(request: OperationRequest): Reply | Promise<Reply>;
}

export const ok = (body: object): Reply => ({ status: 200, body });
