import { constants, createCipheriv, createPublicKey, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';
import type { WireBody } from './raw.ts';

export interface TransferBlob {
  schema_version: string;
  header: { kid: string; alg: string; enc: string };
  ciphertext: string;
  generator: string;
}

/** Wraps bytes for a key exchange key, as the tools of HSM makers do. */
export function wrapBytes(exchangeKey: WireBody['key'], bytes: Uint8Array, oaepHash = 'sha1'): Buffer {
  const publicKey = createPublicKey({
    format: 'jwk',
    key: { kty: 'RSA', n: exchangeKey?.n ?? '', e: exchangeKey?.e ?? '' },
  });
  const wrappingKey = randomBytes(32);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const cipher = createCipheriv('id-aes256-wrap-pad', wrappingKey, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([
    publicEncrypt({ key: publicKey, padding, oaepHash }, wrappingKey),
    cipher.update(bytes),
    cipher.final(),
  ]);
}

/** @param change what to do to the finished blob, for bad ones */
export function transferBlob(
  exchangeKey: WireBody['key'],
  target: KeyObject | Buffer,
  change: (blob: TransferBlob) => unknown = (blob) => blob,
): Buffer {
  const plaintext = Buffer.isBuffer(target) ? target : target.export({ type: 'pkcs8', format: 'der' });
  const blob = {
    schema_version: '1.0.0',
    header: { kid: exchangeKey?.kid ?? '', alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
    ciphertext: wrapBytes(exchangeKey, plaintext).toString('base64url'),
    generator: 'test',
  };
  return Buffer.from(JSON.stringify(change(blob)));
}
