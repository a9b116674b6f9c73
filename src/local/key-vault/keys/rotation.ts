import { KeyVaultError } from '../errors.ts';
import type { StoredObject } from '../object-store.ts';
import type { OperationRequest, Reply } from '../operation.ts';
import { secondsOf, type Vault } from '../vault.ts';
import { keyReply } from './bundle.ts';
import type { GenerateMaterial } from './create.ts';
import { parseDuration, shift } from './duration.ts';
import { createKeyVersion, type KeyVersion } from './key-version.ts';

/** Makes the next version of a key, like the newest one in everything but its material and its times. */
export async function rotate(
  vault: Vault,
  object: StoredObject<KeyVersion>,
  generate: GenerateMaterial,
  at: () => number,
): Promise<KeyVersion> {
  const { publicKey, keySizeBits } = object.newest;
  const material = await generate('crv' in publicKey ? { curve: publicKey.crv } : { rsaBits: keySizeBits ?? 0 });
  // The key may have got another version, or have gone, meanwhile.
  const { object: current, version: newest } = vault.keys.version(object.name, '');
  const atSeconds = at();
  const lifetime = parseDuration(current.rotationPolicy?.expiryTime ?? '');
  const properties = {
    kty: newest.kty,
    keyOps: [...newest.keyOps],
    enabled: true,
    ...(lifetime ? { expires: shift(atSeconds, lifetime, 1) } : {}),
    ...(newest.tags ? { tags: { ...newest.tags } } : {}),
  };
  const version = createKeyVersion(material, properties, atSeconds);
  vault.keys.add(current.name, version);
  return version;
}

export function createRotate(generate: GenerateMaterial): (request: OperationRequest) => Promise<Reply> {
  return async (request) => {
    const { vault, name } = request;
    const object = vault.keys.live(name);
    const version = await rotate(vault, object, generate, () => secondsOf(vault.now()));
    return keyReply(request, object, version);
  };
}

/**
 * @returns a function that makes all rotations of a vault that its clock has reached, each dated when it was due: to be
 * awaited before anything looks at the vault's keys
 */
export function createDueRotations(generate: GenerateMaterial): (vault: Vault) => Promise<void> {
  const running = new WeakMap<Vault, Promise<void>>();
  const rotateAll = async (vault: Vault): Promise<void> => {
    for (;;) {
      const due = vault.rotations.due(secondsOf(vault.now()));
      if (!due) return;
      try {
        await rotate(vault, due.object, generate, () => due.dueSeconds);
      } catch (error) {
        if (!(error instanceof KeyVaultError)) throw error;
        // The key was deleted while its material was made. What else is due waits for the next call.
        return;
      }
    }
  };
  return async (vault) => {
    if (!running.has(vault) && !vault.rotations.due(secondsOf(vault.now()))) return;
    const run = running.get(vault) ?? rotateAll(vault).finally(() => running.delete(vault));
    running.set(vault, run);
    await run;
  };
}
