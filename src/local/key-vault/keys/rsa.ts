import {
  constants,
  createHash,
  createPublicKey,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';

const raw = constants.RSA_NO_PADDING;

/** DER in front of the digest in a PKCS#1 v1.5 signature (RFC 8017, 9.2). */
const digestInfoPrefixes: Record<string, Buffer> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

const digestInfo = (hash: string, digest: Uint8Array): Buffer =>
  Buffer.concat([digestInfoPrefixes[hash] as Buffer, digest]);

export const signPkcs1 = (key: KeyObject, hash: string, digest: Uint8Array): Buffer =>
  privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(hash, digest));

export function verifyPkcs1(key: KeyObject, hash: string, digest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== modulusBytes(key)) return false;
  try {
    const recovered = publicDecrypt({ key: createPublicKey(key), padding: constants.RSA_PKCS1_PADDING }, signature);
    return recovered.equals(digestInfo(hash, digest));
  } catch {
    return false;
  }
}

/** PSS with a salt as long as the digest and MGF1 with the same hash (RFC 8017, 9.1.1). */
export function signPss(key: KeyObject, hash: string, digest: Uint8Array): Buffer {
  const length = modulusBytes(key);
  const salt = randomBytes(digest.length);
  const hashed = saltedHash(hash, digest, salt);
  const block = Buffer.alloc(length - hashed.length - 1);
  block[block.length - salt.length - 1] = 1;
  salt.copy(block, block.length - salt.length);
  const masked = mask(hash, hashed, block);
  masked[0] = (masked[0] as number) & 0x7f;
  return privateEncrypt({ key, padding: raw }, Buffer.concat([masked, hashed, Buffer.of(0xbc)]));
}

export function verifyPss(key: KeyObject, hash: string, digest: Uint8Array, signature: Uint8Array): boolean {
  const length = modulusBytes(key);
  if (signature.length !== length) return false;
  let encoded: Buffer;
  try {
    encoded = publicDecrypt({ key: createPublicKey(key), padding: raw }, signature);
  } catch {
    return false;
  }
  const hashed = encoded.subarray(length - digest.length - 1, length - 1);
  const masked = encoded.subarray(0, length - digest.length - 1);
  if (encoded[length - 1] !== 0xbc || ((masked[0] as number) & 0x80) !== 0) return false;
  const block = mask(hash, hashed, masked);
  block[0] = (block[0] as number) & 0x7f;
  const saltStart = block.length - digest.length;
  const startsRight = block.subarray(0, saltStart - 1).every((byte) => byte === 0) && block[saltStart - 1] === 1;
  return startsRight && timingSafeEqual(saltedHash(hash, digest, block.subarray(saltStart)), hashed);
}

const saltedHash = (hash: string, digest: Uint8Array, salt: Uint8Array): Buffer =>
  createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();

/** @returns `block` with MGF1 of `seed` laid over it */
function mask(hash: string, seed: Uint8Array, block: Uint8Array): Buffer {
  const result = Buffer.from(block);
  for (let counter = 0, offset = 0; offset < result.length; counter++) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    const part = createHash(hash).update(seed).update(suffix).digest();
    for (let index = 0; index < part.length && offset < result.length; index++, offset++) {
      result[offset] = (result[offset] as number) ^ (part[index] as number);
    }
  }
  return result;
}

const modulusBytes = (key: KeyObject): number => (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;

export const encryptOaep = (key: KeyObject, oaepHash: string, plaintext: Uint8Array): Buffer =>
  publicEncrypt({ key: createPublicKey(key), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plaintext);

/** @throws Error for what isn't a ciphertext of this key */
export function decryptOaep(key: KeyObject, oaepHash: string, ciphertext: Uint8Array): Buffer {
  assertWholeBlock(key, ciphertext);
  return privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, ciphertext);
}

export const encryptPkcs1 = (key: KeyObject, plaintext: Uint8Array): Buffer =>
  publicEncrypt({ key: createPublicKey(key), padding: constants.RSA_PKCS1_PADDING }, plaintext);

/**
 * Takes the padding off itself: OpenSSL answers bad padding with random bytes, where the service refuses.
 * @throws Error for bad padding
 */
export function decryptPkcs1(key: KeyObject, ciphertext: Uint8Array): Buffer {
  assertWholeBlock(key, ciphertext);
  const block = privateDecrypt({ key, padding: raw }, ciphertext);
  const end = block.indexOf(0, 2);
  if (block[0] !== 0 || block[1] !== 2 || end < 10) throw new Error('Bad padding.');
  return block.subarray(end + 1);
}

/** OpenSSL takes a block that lost its leading zero bytes for the whole. */
function assertWholeBlock(key: KeyObject, block: Uint8Array): void {
  if (block.length !== modulusBytes(key)) throw new Error('The length is not that of the modulus.');
}
