import { z } from 'zod';
import { badParameter, forbidden } from '../errors.ts';
import { decodeBase64Url, parseBody } from '../fields.ts';
import { ok, type OperationRequest, type Reply } from '../operation.ts';
import { secondsOf, type Vault } from '../vault.ts';
import { encryptionAlgorithmOf, signatureAlgorithmOf } from './algorithms.ts';
import type { KeyVersion } from './key-version.ts';

export type CryptoOperation = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrapKey' | 'unwrapKey';

const operationBody = z.object({ alg: z.string(), value: z.string() });
const verifyBody = z.object({ alg: z.string(), digest: z.string(), value: z.string() });

/** They need nothing secret, so callers could do them with the public key alone. */
const publicKeyOperations: readonly CryptoOperation[] = ['encrypt', 'verify', 'wrapKey'];

/** Still allowed before nbf and after exp: what undoes or checks earlier work. */
const timelessOperations: readonly CryptoOperation[] = ['decrypt', 'unwrapKey', 'verify'];

export const encrypt = encryptWith('encrypt');
export const wrapKey = encryptWith('wrapKey');
export const decrypt = decryptWith('decrypt');
export const unwrapKey = decryptWith('unwrapKey');

/** Signs a digest that the caller has made. */
export function sign(request: OperationRequest): Reply {
  const { kid, version } = usableVersion(request, 'sign');
  const body = parseBody(operationBody, request.body);
  const algorithm = signatureAlgorithmOf(version, body.alg);
  const digest = digestOf(body.value, 'value', body.alg, algorithm.digestBytes);
  return answer(kid, algorithm.sign(request.vault.privateKeyOf(version), digest));
}

export function verify(request: OperationRequest): Reply {
  const { version } = usableVersion(request, 'verify');
  const body = parseBody(verifyBody, request.body);
  const algorithm = signatureAlgorithmOf(version, body.alg);
  const digest = digestOf(body.digest, 'digest', body.alg, algorithm.digestBytes);
  const signature = decodeBase64Url(body.value, 'value');
  return ok({ value: algorithm.verify(request.vault.privateKeyOf(version), digest, signature) });
}

function encryptWith(operation: 'encrypt' | 'wrapKey'): (request: OperationRequest) => Reply {
  return (request) => {
    const { kid, version } = usableVersion(request, operation);
    const body = parseBody(operationBody, request.body);
    const algorithm = encryptionAlgorithmOf(version, body.alg);
    const plaintext = decodeBase64Url(body.value, 'value');
    try {
      return answer(kid, algorithm.encrypt(request.vault.privateKeyOf(version), plaintext));
    } catch {
      throw badParameter(`The 'value' is too long for ${body.alg} with this key.`);
    }
  };
}

function decryptWith(operation: 'decrypt' | 'unwrapKey'): (request: OperationRequest) => Reply {
  return (request) => {
    const { kid, version } = usableVersion(request, operation);
    const body = parseBody(operationBody, request.body);
    const algorithm = encryptionAlgorithmOf(version, body.alg);
    const ciphertext = decodeBase64Url(body.value, 'value');
    try {
      return answer(kid, algorithm.decrypt(request.vault.privateKeyOf(version), ciphertext));
    } catch {
      throw badParameter(`The 'value' can't be decrypted with ${body.alg} and this key.`);
    }
  };
}

/** @throws KeyVaultError 403: `KeyDisabled`, `KeyOperationForbidden`, or no inner code outside nbf and exp */
function usableVersion(request: OperationRequest, operation: CryptoOperation): { kid: string; version: KeyVersion } {
  const { vault } = request;
  const { object, version } = vault.keys.version(request.name, request.version);
  const publicKeyIsEnough = vault.disabledKeysStillUsePublicKey && publicKeyOperations.includes(operation);
  if (!version.enabled && !publicKeyIsEnough) {
    throw forbidden(`Operation ${operation} isn't allowed with a disabled key.`, 'KeyDisabled');
  }
  if (!version.keyOps.includes(operation)) {
    throw forbidden(`Operation ${operation} isn't permitted on this key.`, 'KeyOperationForbidden');
  }
  assertInTime(vault, version, operation);
  return { kid: `https://${request.authority}/keys/${object.name}/${version.version}`, version };
}

/** Which inner code the service gives this refusal isn't known, so it has none here. */
function assertInTime(vault: Vault, version: KeyVersion, operation: CryptoOperation): void {
  if (timelessOperations.includes(operation)) return;
  const at = secondsOf(vault.now());
  if (version.notBefore !== undefined && at < version.notBefore) {
    throw forbidden(`Operation ${operation} isn't allowed with a key that isn't valid yet.`);
  }
  if (version.expires !== undefined && at >= version.expires) {
    throw forbidden(`Operation ${operation} isn't allowed with an expired key.`);
  }
}

function digestOf(text: string, property: string, algorithm: string, bytes: number): Buffer {
  const digest = decodeBase64Url(text, property);
  if (digest.length === bytes) return digest;
  throw badParameter(`The '${property}' has ${digest.length} bytes where ${algorithm} needs ${bytes}.`);
}

const answer = (kid: string, value: Buffer): Reply => ok({ kid, value: value.toString('base64url') });
