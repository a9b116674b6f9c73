import { badParameter } from '../errors.ts';

const supported = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey', 'import'],
  EC: ['sign', 'verify'],
} as const;

const defaults = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify'],
} as const;

/**
 * @returns the operations a key is to have, the type's defaults if none were asked for
 * @throws KeyVaultError 400 for an operation the type doesn't support, or `import` together with others
 */
export function keyOpsOf(family: 'RSA' | 'EC', asked: readonly string[] | undefined): string[] {
  if (!asked) return [...defaults[family]];
  const unsupported = asked.filter((operation) => !(supported[family] as readonly string[]).includes(operation));
  if (unsupported.length > 0) {
    const wrong = unsupported.join(', ');
    throw badParameter(
      `Operations [${wrong}] aren't supported by ${family} keys, [${supported[family].join(', ')}] are.`,
    );
  }
  if (asked.includes('import') && asked.length > 1) {
    throw badParameter("The operation 'import' can't be combined with other operations.");
  }
  return [...asked];
}
