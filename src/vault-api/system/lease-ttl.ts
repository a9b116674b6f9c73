import { parseDuration } from '../duration.ts';
import { invalidRequest } from '../errors.ts';
import { systemLeaseTtlSeconds } from './mount-view.ts';

/**
 * Reads a mount's lease TTL; nothing and `system` mean the system's own.
 * @returns seconds, 0 for the system's own
 */
export function readLeaseTtl(which: 'default' | 'max', sent: string | undefined): number {
  if (sent === undefined || sent === '' || sent === 'system') return 0;
  const seconds = parseDuration(sent);
  if (seconds === undefined || seconds < 0) throw invalidRequest(`unable to parse ${which} TTL of ${sent}`);
  return seconds;
}

export function checkLeaseTtls(defaultSeconds: number, maxSeconds: number): void {
  if (maxSeconds !== 0 && defaultSeconds > maxSeconds) {
    throw invalidRequest('given default lease TTL greater than given max lease TTL');
  }
  if (maxSeconds === 0 && defaultSeconds > systemLeaseTtlSeconds) {
    throw invalidRequest(`given default lease TTL greater than system max lease TTL of ${systemLeaseTtlSeconds}`);
  }
}
