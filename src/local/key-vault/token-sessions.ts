import { createHash } from 'node:crypto';

/** Which tokens a vault has seen, so that continuous access evaluation can end their use before they expire. */
export interface TokenSessions {
  /** @returns false for a token that was seen before the last revocation */
  admit(token: string): boolean;
  /** From now on every token seen so far is refused. */
  revokeAll(): void;
  revokedAtSeconds(): number;
}

export function createTokenSessions(now: () => Date): TokenSessions {
  const seen = new Set<string>();
  const revoked = new Set<string>();
  let revokedAt = 0;
  return {
    admit(token) {
      const id = createHash('sha256').update(token).digest('base64');
      if (revoked.has(id)) return false;
      seen.add(id);
      return true;
    },
    revokeAll() {
      for (const id of seen) revoked.add(id);
      seen.clear();
      revokedAt = Math.floor(now().getTime() / 1000);
    },
    revokedAtSeconds: () => revokedAt,
  };
}
