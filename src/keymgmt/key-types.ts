import { KeyfleetError } from '../errors.ts';

const modulusBits = { 'rsa-2048': 2048, 'rsa-3072': 3072, 'rsa-4096': 4096 } as const;

export type KeyType = keyof typeof modulusBits;
export const keyTypes = Object.keys(modulusBits) as KeyType[];
export const defaultKeyType: KeyType = 'rsa-2048';

export const purposes = ['encrypt', 'decrypt', 'sign', 'verify', 'wrap', 'unwrap'] as const;
export type Purpose = (typeof purposes)[number];

/** Vault's compatibility matrix for Azure Key Vault. */
const purposesByType: Record<KeyType, readonly Purpose[]> = {
  'rsa-2048': purposes,
  'rsa-3072': purposes,
  'rsa-4096': purposes,
};

export const protections = ['hsm', 'software'] as const;
export type Protection = (typeof protections)[number];

export function modulusBitsOf(type: KeyType): number {
  return modulusBits[type];
}

/** @throws KeyfleetError `invalid_request` */
export function parseKeyType(value: string): KeyType {
  const type = keyTypes.find((known) => known === value);
  if (type === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      `unsupported key type ${JSON.stringify(value)}: type is one of ${keyTypes.join(', ')}`,
    );
  }
  return type;
}

/**
 * @returns the purposes sorted and without repetition, as Vault reads them back
 * @throws KeyfleetError `invalid_request`: none, an unknown one, one that keys of this type can't have
 */
export function parsePurposes(values: readonly string[], type: KeyType): Purpose[] {
  if (values.length === 0) {
    throw new KeyfleetError('invalid_request', `purpose is missing: give one or more of ${purposes.join(', ')}`);
  }
  const possible = purposesByType[type];
  const unique = [...new Set(values)].sort();
  return unique.map((value) => {
    const purpose = purposes.find((known) => known === value);
    if (purpose === undefined) {
      throw new KeyfleetError(
        'invalid_request',
        `unknown purpose ${JSON.stringify(value)}: purpose takes ${purposes.join(', ')}`,
      );
    }
    if (!possible.includes(purpose)) {
      throw new KeyfleetError(
        'invalid_request',
        `purpose ${purpose} is not possible for ${type} keys: use ${possible.join(', ')}`,
      );
    }
    return purpose;
  });
}

/** @throws KeyfleetError `invalid_request` */
export function parseProtection(value: string): Protection {
  const protection = protections.find((known) => known === value);
  if (protection === undefined) {
    throw new KeyfleetError(
      'invalid_request',
      `unknown protection ${JSON.stringify(value)}: use ${protections.join(' or ')}`,
    );
  }
  return protection;
}
