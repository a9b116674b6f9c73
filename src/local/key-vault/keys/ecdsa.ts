import { createECDH, type KeyObject } from 'node:crypto';
import { bytesOf, integerOf } from './integers.ts';
import { curves, type CurveName } from './key-material.ts';

/** Orders of the curves' base points (SEC 2). */
const orders: Record<CurveName, bigint> = {
  'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  'P-384': 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  'P-521':
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  'P-256K': 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
};

/*
 * ECDSA over a digest that is already made, which node:crypto can't do: its sign() always hashes. OpenSSL still does the
 * whole of the curve arithmetic, through ECDH: a fresh ECDH key pair is the nonce with its point, and since a vault has
 * the private key, the sum of points in verification is one multiple of the base point too. Left over is arithmetic
 * modulo the order. (It isn't constant-time: for a stand-in with nothing to hide.)
 */

/**
 * @param digest not longer than the curve's order, so that nothing of it is cut off
 * @returns r and s, each as long as the curve's order
 */
export function signDigest(curve: CurveName, key: KeyObject, digest: Uint8Array): Buffer {
  const order = orders[curve];
  const secret = privateScalar(key);
  for (;;) {
    const nonce = createECDH(curves[curve].opensslName);
    nonce.generateKeys();
    const r = xOf(nonce.getPublicKey()) % order;
    const s = modulo(inverse(integerOf(nonce.getPrivateKey()), order) * (integerOf(digest) + r * secret), order);
    if (r !== 0n && s !== 0n) {
      return Buffer.concat([bytesOf(r, curves[curve].bytes), bytesOf(s, curves[curve].bytes)]);
    }
  }
}

/** @param signature r and s, each as long as the curve's order; of another length it is no signature */
export function verifyDigest(curve: CurveName, key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const order = orders[curve];
  const { bytes, opensslName } = curves[curve];
  if (signature.length !== 2 * bytes) return false;
  const r = integerOf(signature.subarray(0, bytes));
  const s = integerOf(signature.subarray(bytes));
  if (r < 1n || r >= order || s < 1n || s >= order) return false;
  const multiple = modulo(inverse(s, order) * (integerOf(digest) + r * privateScalar(key)), order);
  if (multiple === 0n) return false;
  const point = createECDH(opensslName);
  point.setPrivateKey(bytesOf(multiple, bytes));
  return xOf(point.getPublicKey()) % order === r;
}

const privateScalar = (key: KeyObject): bigint => {
  const { d = '' } = key.export({ format: 'jwk' });
  return integerOf(Buffer.from(d, 'base64url'));
};

/** The x coordinate of an uncompressed point. */
const xOf = (point: Buffer): bigint => integerOf(point.subarray(1, 1 + (point.length - 1) / 2));

const modulo = (value: bigint, order: bigint): bigint => ((value % order) + order) % order;

/** Extended Euclid. */
function inverse(value: bigint, order: bigint): bigint {
  let [remainder, next] = [order, modulo(value, order)];
  let [coefficient, nextCoefficient] = [0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next] = [next, remainder - quotient * next];
    [coefficient, nextCoefficient] = [nextCoefficient, coefficient - quotient * nextCoefficient];
  }
  return modulo(coefficient, order);
}
