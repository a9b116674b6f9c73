import type { TokenCredential } from '@azure/identity';

export const rootKeyName = 'keyfleet-root';

const apiVersion = '2025-07-01';

/**
 * Makes the service's root key in its home vault unless it is there: RSA-HSM 3072, for wrapping and unwrapping alone.
 * @param options.vaultUri of the home vault, at a name that this process resolves
 * @param options.credential may read and create keys there
 */
export async function ensureRootKey(options: { vaultUri: string; credential: TokenCredential }): Promise<void> {
  const { vaultUri, credential } = options;
  const access = await credential.getToken('https://vault.localhost/.default');
  const call = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${vaultUri}/keys/${rootKeyName}${path}?api-version=${apiVersion}`, {
      method,
      headers: { authorization: `Bearer ${access?.token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });

  const found = await call('GET', '/');
  if (found.status === 200) return;
  const created = await call('POST', '/create', {
    kty: 'RSA-HSM',
    key_size: 3072,
    key_ops: ['wrapKey', 'unwrapKey'],
    attributes: { enabled: true },
  });
  if (created.status !== 200) throw new Error(`the root key can't be made: ${await created.text()}`);
}
