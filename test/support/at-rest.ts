import { createPrivateKey } from 'node:crypto';

/** One way in which somebody could have written bytes down, and how to look for it. */
export interface Spelling {
  name: string;
  /** As it would be written into a text; for `raw`, into latin1. */
  write: (secret: Buffer) => string;
}

const digits = (secret: Buffer) => secret.toString('hex');

/** How private bytes may look in a file. Reading the file as latin1 keeps raw bytes apart. */
export const spellings: readonly Spelling[] = [
  { name: 'raw', write: (secret) => secret.toString('latin1') },
  { name: 'raw, last byte first', write: (secret) => Buffer.from(secret).reverse().toString('latin1') },
  { name: 'hex', write: digits },
  { name: 'hex in capitals', write: (secret) => digits(secret).toUpperCase() },
  { name: 'base64', write: (secret) => secret.toString('base64') },
  { name: 'base64url', write: (secret) => secret.toString('base64url') },
  { name: 'PEM', write: (secret) => secret.toString('base64').replace(/.{64}/g, '$&\n') },
  { name: 'PEM in JSON', write: (secret) => secret.toString('base64').replace(/.{64}/g, '$&\\n') },
  { name: 'a list of numbers', write: (secret) => [...secret].join(',') },
];

/** The content of a file in every form in which something can be looked for in it. */
export interface Searchable {
  /** Byte by byte. */
  text: string;
  /** What its texts of base64 hold, and, of a JSON file, its strings. */
  inside: string;
}

export function searchable(content: Buffer): Searchable {
  const text = content.toString('latin1');
  const decoded = [...text.matchAll(/[A-Za-z0-9+/_-]{24,}/g)].map(([part]) =>
    Buffer.from(part, 'base64').toString('latin1'),
  );
  return { text, inside: [...decoded, ...stringsOf(parse(content.toString('utf8')))].join('\n') };
}

/**
 * Where a secret is found, by the names of its spellings. Base64 is looked for at each of the three places that the
 * secret's first byte can have within what was encoded.
 */
export function findSecret({ text, inside }: Searchable, secret: Buffer): string[] {
  const found = spellings.filter(({ name, write }) => {
    const encoded = name.startsWith('base64') || name.startsWith('PEM');
    const forms = encoded ? shifted(secret).map(write) : [write(secret)];
    return forms.some((form) => text.includes(form) || inside.includes(form));
  });
  return found.map(({ name }) => name);
}

/** What of a secret becomes whole groups of base64, whichever byte of a group its first one is. */
function shifted(secret: Buffer): Buffer[] {
  return [0, 1, 2].map((skipped) => secret.subarray(skipped, skipped + 3 * Math.floor((secret.length - skipped) / 3)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsOf);
}

/** The parts of a private key that each give the whole away. @param privateKey PKCS#8 DER */
export function privateParts(privateKey: Buffer): Record<string, Buffer> {
  const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' });
  const { d, p, q, dp, dq } = key.export({ format: 'jwk' });
  const bytes = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
  return {
    'PKCS#8': privateKey,
    'PKCS#1': key.export({ type: 'pkcs1', format: 'der' }),
    d: bytes(d),
    p: bytes(p),
    q: bytes(q),
    dp: bytes(dp),
    dq: bytes(dq),
  };
}
