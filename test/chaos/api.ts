import type { HostProcess } from '../../src/local/platform/host-process.ts';
import type { Fate } from './ledger.ts';

export interface Reply {
  fate: Fate;
  /** 0 if there was none. */
  status: number;
  data: Record<string, unknown>;
  warnings: readonly string[];
  /** Why it wasn't accepted. */
  reason: string;
}

/** A request to one of the hosts, by a client that doesn't repeat it. */
export type Api = (
  host: Pick<HostProcess, 'url'>,
  method: 'GET' | 'LIST' | 'POST' | 'DELETE',
  path: string,
  options?: { body?: object; isAsync?: boolean },
) => Promise<Reply>;

const timeoutMilliseconds = 60_000;

export function createApi(token: string): Api {
  return async ({ url }, method, path, { body, isAsync = false } = {}) => {
    const nothing = { status: 0, data: {}, warnings: [] };
    try {
      const response = await fetch(`${url}/v1/${path}`, {
        method,
        headers: { 'X-Vault-Token': token, ...(isAsync && { Prefer: 'respond-async' }) },
        signal: AbortSignal.timeout(timeoutMilliseconds),
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const { status } = response;
      const { data, warnings, errors } = (text === '' ? {} : JSON.parse(text)) as {
        data?: Record<string, unknown> | null;
        warnings?: string[] | null;
        errors?: string[];
      };
      const reason = status < 300 ? '' : `${status} ${(errors ?? [text]).join('; ')}`;
      return { fate: fateOf(status, reason), status, data: data ?? {}, warnings: warnings ?? [], reason };
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? String(error);
      return { ...nothing, fate: cause === 'ECONNREFUSED' ? 'refused' : 'unknown', reason: `no reply (${cause})` };
    }
  };
}

/** A refusal may come after the effect, when a vault says no to what was recorded: only these come before it. */
function fateOf(status: number, reason: string): Fate {
  if (status < 300) return 'accepted';
  return status === 404 || status === 429 || / is not rotated: | is being removed: /.test(reason)
    ? 'refused'
    : 'unknown';
}
