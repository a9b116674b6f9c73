import { constants, createCipheriv, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';

/** RFC 5649's alternative initial value, which Node wants spelled out. */
const keyWrapInitialValue = Buffer.from('a65959a6', 'hex');

/**
 * Builds the file of Azure's Bring Your Own Key specification: the private key under a fresh AES-256 key (RFC 5649),
 * that one under the key exchange key (RSA-OAEP with SHA-1, as the specification demands).
 *
 * @param privateKey PKCS#8 DER; left as it is
 * @param keyExchangeKey id, version included, and public part of an RSA-HSM key of the receiving vault
 * @returns the JSON text, as bytes, that is imported as `key_hsm`
 */
export function wrapForTransfer(privateKey: Uint8Array, keyExchangeKey: { id: string; publicKey: KeyObject }): Buffer {
  const aesKey = randomBytes(32);
  try {
    const wrappedAesKey = publicEncrypt(
      { key: keyExchangeKey.publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      aesKey,
    );
    const cipher = createCipheriv('id-aes256-wrap-pad', aesKey, keyWrapInitialValue);
    const wrappedPrivateKey = Buffer.concat([cipher.update(privateKey), cipher.final()]);
    const blob = {
      schema_version: '1.0.0',
      header: { kid: keyExchangeKey.id, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
      ciphertext: Buffer.concat([wrappedAesKey, wrappedPrivateKey]).toString('base64url'),
      generator: 'Keyfleet',
    };
    return Buffer.from(JSON.stringify(blob));
  } finally {
    aesKey.fill(0);
  }
}
