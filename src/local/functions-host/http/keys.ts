import { parseQuery } from './target.ts';
import type { RequestHead } from './request-head.ts';

export type AuthLevel = 'anonymous' | 'function' | 'admin';

/** The keys of an app. A level that has none lets nobody in. */
export interface HostKeys {
  master?: string | undefined;
  /** Opens every function of level `function`. */
  host?: string | undefined;
  /** By function name. */
  functions?: Readonly<Record<string, string>> | undefined;
}

export interface KeyCheck {
  mayInvoke(head: RequestHead, functionName: string, level: AuthLevel): boolean;
  isAdministrator(head: RequestHead): boolean;
}

/** Reads the key from `X-Functions-Key` or `?code=`; an Authorization header is none. */
export function createKeyCheck({ master, host, functions = {} }: HostKeys): KeyCheck {
  const holdsOne = (head: RequestHead, keys: readonly (string | undefined)[]): boolean => {
    const given = head.headers.get('x-functions-key') ?? parseQuery(head.target.rawQuery)['code'];
    return given !== undefined && given !== '' && keys.includes(given);
  };
  return {
    isAdministrator: (head) => holdsOne(head, [master]),
    mayInvoke(head, functionName, level) {
      if (level === 'anonymous') return true;
      return holdsOne(head, level === 'admin' ? [master] : [master, host, functions[functionName]]);
    },
  };
}
