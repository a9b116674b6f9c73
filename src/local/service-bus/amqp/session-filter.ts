import type { Sender, Typed } from 'rhea';

export const sessionFilterName = 'com.microsoft:session-filter';

/** @returns undefined if the client doesn't ask for a session, an absent id if any session will do. */
export function sessionFilter(sender: Sender): { sessionId: string | undefined } | undefined {
  const source = sender.source as { filter?: Record<string, unknown> | null } | null;
  const filter = source?.filter;
  if (filter == null || !(sessionFilterName in filter)) return undefined;
  // Some clients describe the value, some don't.
  const given = filter[sessionFilterName];
  const sessionId: unknown = typeof given === 'object' && given !== null ? (given as Typed).value : given;
  return { sessionId: typeof sessionId === 'string' ? sessionId : undefined };
}

/** How long the client lets the broker look for a session. */
export function timeoutMilliseconds(sender: Sender): number | undefined {
  const properties = sender.properties as Record<string, unknown> | null;
  const timeout = properties?.['com.microsoft:timeout'];
  return typeof timeout === 'number' ? timeout : undefined;
}
