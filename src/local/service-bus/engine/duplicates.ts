export interface DuplicateHistory {
  /** Remembers the id from now on. @returns whether it was already known within the window. */
  seen(messageId: string): boolean;
}

/** The ids of one entity's messages of the last `windowMilliseconds`; a repeated id does not extend its own window. */
export function createDuplicateHistory(windowMilliseconds: number, nowMilliseconds: () => number): DuplicateHistory {
  // Every id has the same window, so the order of insertion is the order of expiry.
  const expiryById = new Map<string, number>();
  return {
    seen(messageId) {
      const now = nowMilliseconds();
      for (const [id, expiry] of expiryById) {
        if (expiry > now) break;
        expiryById.delete(id);
      }
      if (expiryById.has(messageId)) return true;
      expiryById.set(messageId, now + windowMilliseconds);
      return false;
    },
  };
}
