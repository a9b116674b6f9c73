import type { RpcHttpCookie } from '../rpc.ts';

const sameSite = { none: undefined, lax: 'lax', strict: 'strict', explicitNone: 'none' } as const;

/** A cookie of a function's `cookies` as the host writes it into Set-Cookie. */
export function formatCookie(cookie: RpcHttpCookie): string {
  const { name, value, expires, maxAge, domain, path, secure, httpOnly } = cookie;
  const site = sameSite[cookie.sameSite ?? 'none'];
  return [
    `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
    expires && `expires=${new Date(expires.value.seconds * 1000).toUTCString()}`,
    maxAge && `max-age=${Math.trunc(maxAge.value)}`,
    domain && `domain=${domain.value}`,
    `path=${path?.value ?? '/'}`,
    secure?.value && 'secure',
    site && `samesite=${site}`,
    httpOnly?.value && 'httponly',
  ]
    .filter(Boolean)
    .join('; ');
}
