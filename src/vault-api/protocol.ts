/** A request as the Functions host hands it over, in neutral types. */
export interface VaultRequest {
  /** As sent: `GET`, `LIST`, `list`. */
  method: string;
  /** Absolute. */
  url: string;
  /**
   * The catch-all route parameter `{*path}` of a function at the root, as the host decoded it: the whole path without
   * its leading slash, `v1/keymgmt/key/a`. Absent for `/`.
   */
  pathParameter?: string;
  headers: { get(name: string): string | null };
  /** The bytes as received; null if there are none. */
  body: Buffer | null;
}

export interface VaultResponse {
  status: number;
  headers: Record<string, string>;
  /** JSON text; absent where HTTP has no body. */
  body?: string;
}

/** What a request asks for; PUT and POST are both `write`, GET with `?list=true` is a `list`. */
export type Operation = 'read' | 'list' | 'write' | 'patch' | 'delete';

/** hvac reads errors only if the type is exactly this, without a charset. */
const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };

export function jsonResponse(status: number, body: unknown): VaultResponse {
  return { status, headers: { ...headers }, body: JSON.stringify(body) };
}

export function noContent(): VaultResponse {
  return { status: 204, headers: { ...headers } };
}
