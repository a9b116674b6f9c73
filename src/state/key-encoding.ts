/** Table keys can't hold `/ \ # ?` nor control characters. */
export function encodeForKey(text: string): string {
  return encodeURIComponent(text).replaceAll('%', '+');
}

export function decodeFromKey(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%'));
}
