import { constants, createDecipheriv, createPrivateKey, privateDecrypt, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { badParameter, forbidden, type KeyVaultError } from '../errors.ts';
import { keyKind, notFound } from '../object-kind.ts';
import type { Vault } from '../vault.ts';
import type { KeyVersion } from './key-version.ts';

/** RFC 5649's alternative initial value, the only one OpenSSL takes here. */
const keyWrapInitialValue = Buffer.from('a65959a6', 'hex');

const blobSchema = z.object({
  schema_version: z.literal('1.0.0'),
  header: z.object({ kid: z.string(), alg: z.literal('dir'), enc: z.literal('CKM_RSA_AES_KEY_WRAP') }),
  ciphertext: z.string().regex(/^[A-Za-z0-9_-]+$/),
  generator: z.string().optional(),
});

const unusable = (reason: string): KeyVaultError =>
  badParameter(`'key_hsm' isn't a usable key transfer blob: ${reason}.`);

/**
 * Unwraps a key that was wrapped for one of the vault's key exchange keys: RSA-OAEP (SHA-1) over an AES-256 key, which
 * wraps the PKCS#8 of the target with AES-KWP. What the service answers to a bad blob wasn't seen, so all that is wrong
 * with the blob itself is a plain 400.
 * @param encoded base64 or base64url of the whole JSON blob
 * @throws KeyVaultError 400, 404 if the key exchange key isn't there, 403 `KeyDisabled`
 */
export function unwrapTransferBlob(vault: Vault, encoded: string): KeyObject {
  const blob = blobSchema.safeParse(parseJson(encoded));
  if (!blob.success) throw unusable(`'${blob.error.issues[0]?.path.join('.') ?? ''}' is missing or has a wrong value`);
  const exchangeKey = exchangeKeyOf(vault, blob.data.header.kid);
  const ciphertext = Buffer.from(blob.data.ciphertext, 'base64url');
  const pkcs8 = unwrap(vault.privateKeyOf(exchangeKey), (exchangeKey.keySizeBits ?? 0) / 8, ciphertext);
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  } catch {
    throw unusable("the wrapped key isn't PKCS#8");
  } finally {
    pkcs8.fill(0);
  }
}

function parseJson(encoded: string): unknown {
  if (!/^[A-Za-z0-9_+/-]+={0,2}$/.test(encoded)) throw unusable("it isn't base64url");
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString());
  } catch {
    throw unusable("it isn't JSON");
  }
}

function exchangeKeyOf(vault: Vault, kid: string): KeyVersion {
  const [, name, version] = /^\/keys\/([^/]+)\/([0-9a-f]{32})$/.exec(pathInVault(vault, kid)) ?? [];
  if (name === undefined || version === undefined) throw unusable("'header.kid' must name a key and a version");
  const exchangeKey = vault.keys.find(name)?.versions.get(version);
  if (!exchangeKey) throw notFound(keyKind, name, version);
  if (exchangeKey.kty !== 'RSA-HSM' || exchangeKey.keyOps.join() !== 'import') {
    throw unusable('the key exchange key must be of type RSA-HSM and have the one operation import');
  }
  if (!exchangeKey.enabled) throw forbidden("Operation import isn't allowed with a disabled key.", 'KeyDisabled');
  return exchangeKey;
}

function pathInVault(vault: Vault, kid: string): string {
  if (!URL.canParse(kid)) throw unusable("'header.kid' isn't a key identifier");
  const url = new URL(kid);
  if (!vault.answersTo(url.host)) throw unusable("the key exchange key isn't in this vault");
  return url.pathname;
}

function unwrap(exchangeKey: KeyObject, modulusBytes: number, ciphertext: Buffer): Buffer {
  const padding = { key: exchangeKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' };
  let wrappingKey = Buffer.alloc(0);
  try {
    wrappingKey = privateDecrypt(padding, ciphertext.subarray(0, modulusBytes));
    const decipher = createDecipheriv('id-aes256-wrap-pad', wrappingKey, keyWrapInitialValue);
    return Buffer.concat([decipher.update(ciphertext.subarray(modulusBytes)), decipher.final()]);
  } catch {
    throw unusable("it can't be unwrapped with this key exchange key");
  } finally {
    wrappingKey.fill(0);
  }
}
