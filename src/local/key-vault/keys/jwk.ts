import {
  createECDH,
  createPrivateKey,
  privateEncrypt,
  publicDecrypt,
  createPublicKey,
  type KeyObject,
} from 'node:crypto';
import { z } from 'zod';
import { badParameter } from '../errors.ts';
import { decodeBase64Url } from '../fields.ts';
import { bytesOf, integerOf } from './integers.ts';
import { curves, isCurve } from './key-material.ts';

/** The members that an import may carry. */
export const jwkSchema = z.object({
  kty: z.string(),
  key_ops: z.array(z.string()).optional(),
  n: z.string().optional(),
  e: z.string().optional(),
  d: z.string().optional(),
  p: z.string().optional(),
  q: z.string().optional(),
  dp: z.string().optional(),
  dq: z.string().optional(),
  qi: z.string().optional(),
  crv: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
  /** A transfer blob, base64 or base64url of the whole file. */
  key_hsm: z.string().optional(),
});

export type Jwk = z.infer<typeof jwkSchema>;

/** @throws KeyVaultError 400 unless the JWK is a private key whose parts agree with each other */
export function privateKeyFromJwk(jwk: Jwk, family: 'RSA' | 'EC'): KeyObject {
  return family === 'RSA' ? rsaFromJwk(jwk) : ecFromJwk(jwk);
}

function rsaFromJwk(jwk: Jwk): KeyObject {
  const part = (name: 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi'): bigint => {
    const text = jwk[name];
    if (text === undefined || text === '') throw badParameter(`'key' isn't a valid RSA key: '${name}' is missing.`);
    return integerOf(decodeBase64Url(text, `key.${name}`));
  };
  const [n, e, d, p, q, dp, dq, qi] = [
    part('n'),
    part('e'),
    part('d'),
    part('p'),
    part('q'),
    part('dp'),
    part('dq'),
    part('qi'),
  ];
  const consistent =
    p > 2n &&
    q > 2n &&
    p * q === n &&
    (d * e) % (p - 1n) === 1n &&
    (d * e) % (q - 1n) === 1n &&
    dp === d % (p - 1n) &&
    dq === d % (q - 1n) &&
    (qi * q) % p === 1n;
  if (!consistent) throw badParameter("'key' isn't a valid RSA key: its parts don't belong together.");
  const text = (value: bigint) => bytesOf(value).toString('base64url');
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'RSA',
      n: text(n),
      e: text(e),
      d: text(d),
      p: text(p),
      q: text(q),
      dp: text(dp),
      dq: text(dq),
      qi: text(qi),
    },
  });
  assertRoundTrip(key);
  return key;
}

/** Numbers can pass every equation without being primes; only a working key survives this. */
function assertRoundTrip(key: KeyObject): void {
  const sample = Buffer.alloc(32, 0x5a);
  try {
    if (publicDecrypt(createPublicKey(key), privateEncrypt(key, sample)).equals(sample)) return;
  } catch {
    // Refused below.
  }
  throw badParameter("'key' isn't a valid RSA key: it doesn't undo what it does.");
}

function ecFromJwk(jwk: Jwk): KeyObject {
  if (jwk.crv === undefined || !isCurve(jwk.crv))
    throw badParameter("'key' isn't a valid EC key: 'crv' is unsupported.");
  const curve = curves[jwk.crv];
  const part = (name: 'x' | 'y' | 'd'): Buffer => {
    const bytes = decodeBase64Url(jwk[name] ?? '', `key.${name}`);
    if (bytes.length !== curve.bytes) throw badParameter(`'key' isn't a valid EC key: '${name}' has a wrong length.`);
    return bytes;
  };
  const [x, y, d] = [part('x'), part('y'), part('d')];
  if (!publicPointOf(curve.opensslName, d)?.equals(Buffer.concat([Buffer.of(4), x, y]))) {
    throw badParameter("'key' isn't a valid EC key: its parts don't belong together.");
  }
  const text = (bytes: Buffer) => bytes.toString('base64url');
  return createPrivateKey({
    format: 'jwk',
    key: { kty: 'EC', crv: curve.nodeJwkName, x: text(x), y: text(y), d: text(d) },
  });
}

function publicPointOf(curve: string, d: Buffer): Buffer | undefined {
  const ecdh = createECDH(curve);
  try {
    ecdh.setPrivateKey(d);
  } catch {
    return undefined;
  }
  return ecdh.getPublicKey();
}
