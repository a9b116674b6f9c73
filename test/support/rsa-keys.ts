import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import primes from './rsa-primes.json' with { type: 'json' };

const publicExponent = 65_537n;

/**
 * RSA keys that don't have to be waited for, as some take half a second to generate: they are put together from primes
 * that are here already. No two are the same; when the primes have no more to give, keys are generated.
 */
export function createRsaKeys(): (bits: number) => Promise<KeyObject> {
  const next = createRsaKeySequence();
  return async (bits) => next(bits);
}

/** The same, for those who want one at once. Every sequence begins with the same keys. */
export function createRsaKeySequence(): (bits: number) => KeyObject {
  const left = new Map(Object.entries(primes).map(([bits, texts]) => [Number(bits), pairsOf(texts.map(fromBase64))]));
  return (bits) => {
    const pair = left.get(bits)?.shift();
    return pair ? keyOf(...pair) : generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
  };
}

function pairsOf(values: readonly bigint[]): [bigint, bigint][] {
  return values.flatMap((p, index) => values.slice(index + 1).map((q): [bigint, bigint] => (p > q ? [p, q] : [q, p])));
}

function keyOf(p: bigint, q: bigint): KeyObject {
  const d = inverse(publicExponent, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: publicExponent, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const members: [string, string][] = Object.entries(numbers).map(([name, value]) => [name, toBase64(value)]);
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(members) }, format: 'jwk' });
}

/** Modulo `modulus`, with which `value` has no factor in common. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [remainder, next, result, factor] = [modulus, value % modulus, 0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next, result, factor] = [next, remainder - quotient * next, factor, result - quotient * factor];
  }
  return ((result % modulus) + modulus) % modulus;
}

const fromBase64 = (text: string): bigint => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);

function toBase64(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}
