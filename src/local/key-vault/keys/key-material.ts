import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { badParameter } from '../errors.ts';

export const curves = {
  'P-256': { opensslName: 'prime256v1', nodeJwkName: 'P-256', bytes: 32 },
  'P-384': { opensslName: 'secp384r1', nodeJwkName: 'P-384', bytes: 48 },
  'P-521': { opensslName: 'secp521r1', nodeJwkName: 'P-521', bytes: 66 },
  'P-256K': { opensslName: 'secp256k1', nodeJwkName: 'secp256k1', bytes: 32 },
} as const;

export type CurveName = keyof typeof curves;

export const isCurve = (name: string): name is CurveName => Object.hasOwn(curves, name);

export const rsaSizesBits: readonly number[] = [2048, 3072, 4096];

/** Members as Key Vault shows them, base64url. */
export type PublicKey = { n: string; e: string } | { crv: CurveName; x: string; y: string };

export interface KeyMaterial {
  publicKey: PublicKey;
  /** RSA only. */
  keySizeBits?: number;
  /** PKCS#8 DER. */
  privateKey: Buffer;
}

const generate = promisify(generateKeyPair);

/** Makes a private RSA key of so many bits. */
export type GenerateRsaKey = (bits: number) => Promise<KeyObject>;

/** Generates off the main thread. */
export const generateRsaKey: GenerateRsaKey = async (bits) =>
  (await generate('rsa', { modulusLength: bits })).privateKey;

/** Generates curves' keys off the main thread. */
export async function generateMaterial(
  spec: { rsaBits: number } | { curve: CurveName },
  rsaKey: GenerateRsaKey,
): Promise<KeyMaterial> {
  if ('rsaBits' in spec) return materialOf(await rsaKey(spec.rsaBits));
  return materialOf((await generate('ec', { namedCurve: curves[spec.curve].opensslName })).privateKey);
}

/** @throws KeyVaultError 400 for a key that Key Vault can't hold: another type, size or curve */
export function materialOf(privateKey: KeyObject): KeyMaterial {
  const details = privateKey.asymmetricKeyDetails;
  if (privateKey.asymmetricKeyType === 'rsa') {
    const keySizeBits = details?.modulusLength ?? 0;
    if (!rsaSizesBits.includes(keySizeBits)) throw badParameter(`RSA keys of ${keySizeBits} bits aren't supported.`);
    const { n = '', e = '' } = privateKey.export({ format: 'jwk' });
    return { publicKey: { n, e }, keySizeBits, privateKey: encode(privateKey) };
  }
  const curve = Object.entries(curves).find(([, { opensslName }]) => opensslName === details?.namedCurve);
  if (privateKey.asymmetricKeyType !== 'ec' || !curve)
    throw badParameter('The key is of an unsupported type or curve.');
  const { x = '', y = '' } = privateKey.export({ format: 'jwk' });
  return { publicKey: { crv: curve[0] as CurveName, x, y }, privateKey: encode(privateKey) };
}

const encode = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' });
