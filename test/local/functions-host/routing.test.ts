import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningApp, startApp } from './support/app.ts';
import { exchange, requestText } from './support/raw-client.ts';

let app: RunningApp;

async function call(method: string, target: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const { status, body } = await exchange(app.host.port, requestText(method, target), method === 'HEAD');
  return { status, json: body.length > 0 ? (JSON.parse(body.toString()) as Record<string, unknown>) : {} };
}

const nameAt = async (method: string, target: string): Promise<unknown> => (await call(method, target)).json['name'];
const paramsAt = async (target: string): Promise<unknown> => (await call('GET', target)).json['params'];
const statusAt = async (method: string, target: string): Promise<number> => (await call(method, target)).status;

beforeAll(async () => {
  app = await startApp({ app: 'routing', host: { masterKey: 'the-master-key' } });
});

describe('which function answers', () => {
  it('is the first match by name, not the most literal or the first registered', async () => {
    expect(await nameAt('GET', '/ordered/literal')).toBe('a_lit');
    expect(await nameAt('GET', '/other/literal')).toBe('catchall');
  });

  it('compares names without regard to case, an underscore coming after the letters', async () => {
    expect(await nameAt('GET', '/case/one')).toBe('zetab');
    expect(await nameAt('GET', '/upper/one')).toBe('alpha');
  });

  it('falls through to the next match when the method is not declared, and ends in 404, never 405', async () => {
    expect(await nameAt('GET', '/verbs/split')).toBe('split_a');
    expect(await nameAt('POST', '/verbs/split')).toBe('split_b');
    expect(await statusAt('PUT', '/verbs/split')).toBe(404);
  });

  it('uses the function name as the route when there is none', async () => {
    expect(await nameAt('GET', '/unrouted')).toBe('unrouted');
  });

  it('refuses the second function, by name, of one template and overlapping methods', async () => {
    expect(await nameAt('POST', '/twin')).toBe('twin_a');
    expect(app.messages('Host.Startup').join()).toMatch(/'twin_b' function is in error/);
    expect(app.host.functions.map(({ name }) => name)).not.toContain('twin_b');
  });

  it('refuses templates that begin with admin or runtime, and runs the others', async () => {
    const errors = app.messages('Host.Startup').join();
    expect(errors).toMatch(/'adminish' function is in error/);
    expect(errors).toMatch(/'runtimeish' function is in error/);
    expect(await statusAt('GET', '/administrators/x')).toBe(404);
  });
});

describe('verbs', () => {
  it('serves LIST and PURGE', async () => {
    expect((await call('LIST', '/verbs/list')).json['method']).toBe('LIST');
    expect((await call('PURGE', '/verbs/list')).json['method']).toBe('PURGE');
  });

  it('matches a verb whatever its case, and shows it as it was sent', async () => {
    expect((await call('list', '/verbs/list')).json['method']).toBe('list');
    expect((await call('LIST', '/verbs/lowered')).json['method']).toBe('LIST');
    expect((await call('get', '/verbs/get')).json['method']).toBe('GET');
  });

  it.each(['HELP', 'FOO', 'CONNECT'])('answers 404 to an undeclared %s', async (verb) => {
    expect(await statusAt(verb, '/verbs/get')).toBe(404);
  });

  it('answers 404 to HEAD where only GET is declared', async () => {
    expect(await statusAt('HEAD', '/verbs/get')).toBe(404);
  });

  it('answers 500 to a declared TRACE, which Request refuses', async () => {
    expect(await statusAt('TRACE', '/verbs/trace')).toBe(500);
  });

  it('treats OPTIONS and PATCH as any other, without CORS of its own', async () => {
    expect(await nameAt('PATCH', '/verbs/other')).toBe('optioned');
    const response = await exchange(app.host.port, requestText('OPTIONS', '/verbs/other', { headers: ['Origin: x'] }));
    expect(response.status).toBe(200);
    expect(response.headers.filter(([name]) => name.toLowerCase().startsWith('access-control'))).toEqual([]);
  });

  it('declares GET and POST when methods are omitted, nothing when they are empty', async () => {
    expect(await nameAt('POST', '/verbs/default')).toBe('defaulted');
    expect(await statusAt('PUT', '/verbs/default')).toBe(404);
    expect(await statusAt('GET', '/verbs/none')).toBe(404);
  });
});

describe('templates', () => {
  it('ignore case and keep that of values', async () => {
    expect(await paramsAt('/V1/Abc')).toEqual({ path: 'Abc' });
  });

  it('ignore a trailing slash, which stays in the url and in a catch-all', async () => {
    const { json } = await call('GET', '/v1/a/');
    expect(json).toMatchObject({ params: { path: 'a/' }, url: 'http://host/v1/a/' });
    expect(await paramsAt('/number/5/')).toEqual({ id: '5' });
  });

  it.each(['/v1', '/v1/'])('match a catch-all without a value: %s', async (target) => {
    expect(await paramsAt(target)).toEqual({});
  });

  it('know optional parameters', async () => {
    expect(await paramsAt('/optional')).toEqual({});
    expect(await paramsAt('/optional/x')).toEqual({ id: 'x' });
    expect(await statusAt('GET', '/optional/x/y')).toBe(404);
  });

  it('know constraints', async () => {
    expect(await paramsAt('/number/-12')).toEqual({ id: '-12' });
    expect(await statusAt('GET', '/number/x')).toBe(404);
    expect(await statusAt('GET', '/number/2147483648')).toBe(404);
    expect(await paramsAt('/optionalnumber')).toEqual({});
    expect(await paramsAt('/optionalnumber/3')).toEqual({ id: '3' });
    expect(await statusAt('GET', '/optionalnumber/x')).toBe(404);
    expect(await paramsAt('/word/abc')).toEqual({ text: 'abc' });
    expect(await statusAt('GET', '/word/abcde')).toBe(404);
    expect(await paramsAt('/pattern/ab')).toEqual({ code: 'ab' });
    expect(await statusAt('GET', '/pattern/ad')).toBe(404);
  });

  it('know defaults and segments of several parts', async () => {
    expect(await paramsAt('/preset')).toEqual({ id: 'seven' });
    expect(await paramsAt('/shape/a.b.c')).toEqual({ name: 'a.b', extension: 'c' });
  });
});

describe('paths that no function has', () => {
  it('answer an empty 404 with three headers', async () => {
    const response = await exchange(app.host.port, requestText('GET', '/nowhere'));
    expect(response.status).toBe(404);
    expect(response.body).toHaveLength(0);
    expect(response.headers.map(([name]) => name).sort()).toEqual(['Content-Length', 'Date', 'Server']);
    expect(response.header('server')).toBe('Kestrel');
  });

  it.each(['GET', 'POST', 'LIST', 'DELETE'])('answer the homepage at / to %s', async (verb) => {
    const response = await exchange(app.host.port, requestText(verb, '/'));
    expect(response.status).toBe(200);
    expect(response.header('content-type')).toBe('text/html');
  });

  it.each(['/admin/foo', '/runtime/x', '/robots933456.txt', '/favicon.ico'])('are not reserved: %s', async (target) => {
    expect(await statusAt('GET', target)).toBe(404);
  });
});

describe("the host's own endpoints", () => {
  it.each(['/admin/host/ping', '/admin/warmup'])('answer without a key: %s', async (target) => {
    expect(await statusAt('GET', target)).toBe(200);
  });

  it.each(['/admin/host/status', '/admin/functions', '/runtime/webhooks/x'])(
    'ask for the master key: %s',
    async (target) => {
      const refused = await exchange(app.host.port, requestText('GET', target));
      expect(refused.status).toBe(401);
      expect(refused.header('www-authenticate')).toBe('Bearer');
      const key = { headers: ['X-Functions-Key: the-master-key'] };
      const { status } = await exchange(app.host.port, requestText('GET', target, key));
      expect(status).toBe(target.startsWith('/runtime') ? 404 : 200);
    },
  );
});

describe('a catch-all at the root', () => {
  const source = `
    import { app } from '@azure/functions';
    app.http('all', { route: '{*path}', handler: (request) => ({ jsonBody: { params: request.params, url: request.url } }) });`;

  it('gets / and what is not reserved', async () => {
    const { host } = await startApp({ files: { 'app.js': source } });
    const at = async (target: string): Promise<unknown> =>
      JSON.parse((await exchange(host.port, requestText('GET', target))).body.toString());
    expect(await at('/')).toEqual({ params: {}, url: 'http://host/' });
    expect(await at('/admin/foo')).toMatchObject({ params: { path: 'admin/foo' } });
    expect(await at('/runtime/x')).toMatchObject({ params: { path: 'runtime/x' } });
    expect(await at('/favicon.ico')).toMatchObject({ params: { path: 'favicon.ico' } });
    expect(await at('/v1//a')).toEqual({ params: { path: 'v1//a' }, url: 'http://host/v1//a' });
    expect((await exchange(host.port, requestText('GET', '//a'))).status).toBe(404);
    expect((await exchange(host.port, requestText('GET', '/admin/host/ping'))).body.toString()).toBe('');
  });

  it('is below the route prefix, which is api unless host.json says otherwise', async () => {
    const { host } = await startApp({ files: { 'app.js': source }, hostJson: { extensions: {} } });
    const { status, body } = await exchange(host.port, requestText('GET', '/api/x'));
    expect(status).toBe(200);
    expect(JSON.parse(body.toString())).toMatchObject({ params: { path: 'x' } });
    expect((await exchange(host.port, requestText('GET', '/x'))).status).toBe(404);
  });
});

describe('AzureWebJobsDisableHomepage', () => {
  it('turns the homepage into 204', async () => {
    const { host } = await startApp({ app: 'routing', host: { settings: { AzureWebJobsDisableHomepage: 'true' } } });
    expect((await exchange(host.port, requestText('GET', '/'))).status).toBe(204);
  });
});
