import { KeyfleetError } from '../errors.ts';

/** Table Storage takes 512 characters, and there is more in a key than a path. */
const longestPath = 400;

/** Table keys can't hold `/ \ # ?` nor control characters. */
export function encodeForKey(text: string): string {
  return encodeURIComponent(text).replaceAll('%', '+');
}

export function decodeFromKey(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%'));
}

/** @throws KeyfleetError `invalid_request` for a path that is too long for a key */
export function encodePathForKey(path: string): string {
  const encoded = encodeForKey(path);
  if (encoded.length <= longestPath) return encoded;
  throw new KeyfleetError(
    'invalid_request',
    `path is too long: percent-encoded, slashes too, it may have ${longestPath} characters`,
  );
}
