/** A service token as stored: the token itself is kept only as a keyed hash. */
export interface Token {
  /** Names the token where the token itself must not appear. */
  accessor: string;
  displayName: string;
  policies: readonly string[];
  /** Path of the request that made it, e.g. `auth/token/root`. */
  path: string;
  orphan: boolean;
  renewable: boolean;
  meta: Record<string, string> | null;
  createdTime: Date;
  /** Zero for a token that never expires. */
  creationTtlSeconds: number;
  /** Absent for a token that never expires. */
  expireTime?: Date;
}

export interface TokenStore {
  /** @returns the token, expired or not, or undefined if it isn't known. */
  find(token: string): Promise<Token | undefined>;
  /** Stores or replaces a token. */
  put(token: string, record: Token): Promise<void>;
  remove(token: string): Promise<void>;
}
