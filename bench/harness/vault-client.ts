/** Speaks the service's API as the holder of one token. */
export interface VaultClient {
  /**
   * @param path below `v1/`
   * @returns `data` of the answer
   * @throws Error for any status from 400 on
   */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Record<string, unknown>>;
}

export function createVaultClient(
  hostUrl: string,
  token: string,
  headers: Readonly<Record<string, string>> = {},
): VaultClient {
  return {
    async call(method, path, body) {
      const response = await fetch(`${hostUrl}/v1/${path}`, {
        method,
        headers: { 'X-Vault-Token': token, ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.status >= 400) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
      return text === '' ? {} : ((JSON.parse(text) as { data?: Record<string, unknown> | null }).data ?? {});
    },
  };
}
