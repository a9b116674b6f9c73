import { expect } from 'vitest';
import type { RawResponse } from './raw-client.ts';

/** What the `echo` function of apps/http.ts was called with. */
export interface Echo {
  method: string;
  url: string;
  params: Record<string, string>;
  query: [string, string][];
  search: [string, string][];
  headers: Record<string, string>;
  /** Base64; null when the function got no body. */
  body: string | null;
}

export function readEcho(response: RawResponse): Echo {
  expect(response.status).toBe(200);
  return JSON.parse(response.body.toString()) as Echo;
}

export function textOf(echo: Echo): string | null {
  return echo.body === null ? null : Buffer.from(echo.body, 'base64').toString();
}
