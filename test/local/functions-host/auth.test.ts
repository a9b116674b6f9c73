import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { exchange, type RawResponse, requestText } from './support/raw-client.ts';

let app: RunningApp;

beforeAll(async () => {
  const keys = { masterKey: 'master', hostKey: 'host', functionKeys: { guarded: 'own' } };
  app = await startApp({ app: 'guarded', host: keys });
});

const call = (target: string, ...headers: string[]): Promise<RawResponse> =>
  exchange(app.host.port, requestText('GET', target, { headers }));

const withKey = async (name: string, key: string): Promise<number> =>
  (await call(name, `X-Functions-Key: ${key}`)).status;

describe('auth levels', () => {
  it('are anonymous when omitted', async () => {
    expect((await call('/open')).status).toBe(200);
  });

  it('refuse no key or a wrong one with 401, empty and without a challenge', async () => {
    for (const response of [
      await call('/guarded'),
      await call('/guarded', 'X-Functions-Key: x'),
      await call('/topmost'),
    ]) {
      expect(response.status).toBe(401);
      expect(response.header('www-authenticate')).toBeUndefined();
      expect(response.body).toHaveLength(0);
    }
  });

  it('function: take the key of the function, the host or the master', async () => {
    expect([
      await withKey('/guarded', 'own'),
      await withKey('/guarded', 'host'),
      await withKey('/guarded', 'master'),
    ]).toEqual([200, 200, 200]);
    expect(await withKey('/other', 'own')).toBe(401);
  });

  it('admin: take the master key alone', async () => {
    expect([await withKey('/topmost', 'master'), await withKey('/topmost', 'host')]).toEqual([200, 401]);
  });

  it('take the key as ?code= too', async () => {
    expect((await call('/guarded?code=own')).status).toBe(200);
    expect((await call('/guarded?code=wrong')).status).toBe(401);
  });

  it('ignore Authorization, which reaches the function, as the key does', async () => {
    expect((await call('/guarded', 'Authorization: Bearer own')).status).toBe(401);
    const response = await call('/guarded', 'Authorization: Bearer x', 'X-Functions-Key: own');
    expect(JSON.parse(response.body.toString())).toEqual({ authorization: 'Bearer x', key: 'own' });
  });
});
