import { build } from 'esbuild';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startFunctionsHost } from '../../../src/local/functions-host/index.ts';
import { prepareApp, type RunningApp, startApp } from './support/app.ts';
import { exchange, openConnection, type RawResponse, requestText } from './support/raw-client.ts';

const call = (app: RunningApp, target: string): Promise<RawResponse> =>
  exchange(app.host.port, requestText('GET', target));

const hello = `app.http('hello', { handler: () => ({ body: 'hello' }) });`;
const esm = (source: string): string => `import { app } from '@azure/functions';\n${source}`;
const cjs = (source: string): string => `const { app } = require('@azure/functions');\n${source}`;

describe('an entry that throws', () => {
  it.each([
    ['after a registration', `${hello} throw new Error('broken entry');`, 'broken entry'],
    ['because a name is registered twice', `${hello} ${hello}`, 'already exists'],
  ])('%s leaves a host without functions: 404 everywhere, ping 200, one line in the log', async (_, source, reason) => {
    const app = await startApp({ files: { 'app.js': esm(source) } });
    expect(app.host.functions).toEqual([]);
    const response = await call(app, '/hello');
    expect([response.status, response.body.length]).toEqual([404, 0]);
    expect((await call(app, '/admin/host/ping')).status).toBe(200);
    const errors = app.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toContain(reason);
  });

  it('is the same for a main that matches nothing', async () => {
    const app = await startApp({ files: { 'app.js': esm(hello) }, main: 'dist/*.js' });
    expect((await call(app, '/hello')).status).toBe(404);
    expect(app.lines.map(({ message }) => message).join()).toContain('dist/*.js');
  });
});

describe('a port that is taken', () => {
  it('rejects the start and leaves no worker behind', async () => {
    const first = await startApp({ files: { 'app.js': esm(hello) } });
    const directory = await prepareApp({ files: { 'app.js': esm(`console.log('pid ' + process.pid); ${hello}`) } });
    const lines: string[] = [];
    const log = ({ message }: { message: string }): void => void lines.push(message);
    const starting = startFunctionsHost({ directory, settings: {}, port: first.host.port, log });
    await expect(starting).rejects.toThrow('EADDRINUSE');
    const workerPid = Number(/pid (\d+)/.exec(lines.join())?.[1]);
    expect(() => process.kill(workerPid, 0)).toThrow('ESRCH');
  });
});

describe('what stops the whole host', () => {
  it.each([
    ['names that differ only in case', `${hello} app.http('Hello', { route: 'x', handler: () => ({}) });`],
    ['a catch-all that is not last', `${hello} app.http('bad', { route: '{*path}/x', handler: () => ({}) });`],
  ])('%s: 503 as plain text without a type', async (_, source) => {
    const app = await startApp({ files: { 'app.js': esm(source) } });
    for (const target of ['/hello', '/', '/nowhere']) {
      const response = await call(app, target);
      expect(response.status).toBe(503);
      expect(response.body.toString()).toBe('Function host is not running.');
      expect(response.header('content-type')).toBeUndefined();
    }
  });

  it('an appStart hook that rejects: there is no port', async () => {
    const source = esm(`${hello} app.hook.appStart(async () => { throw new Error('not today'); });`);
    const directory = await prepareApp({ files: { 'app.js': source } });
    const port = await freePort();
    await expect(startFunctionsHost({ directory, settings: {}, port })).rejects.toThrow('not today');
    await expect(openConnection(port)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('HTTP streaming', () => {
  it('is refused at the start, before anything listens', async () => {
    const source = esm(`app.setup({ enableHttpStream: true }); ${hello}`);
    const directory = await prepareApp({ files: { 'app.js': source } });
    await expect(startFunctionsHost({ directory, settings: {}, port: 0 })).rejects.toThrow('HTTP streaming');
  });
});

describe('a function that cannot be served', () => {
  it('is dropped, and the others run', async () => {
    const long = 'a'.repeat(129);
    const app = await startApp({
      files: {
        'app.js': esm(`
          ${hello}
          app.http('9lives', { handler: () => ({}) });
          app.http('${long}', { handler: () => ({}) });
          app.timer('cron', { schedule: '0 99 * * * *', handler: () => undefined });
          app.timer('quartz', { schedule: '0 0 0 L * ?', handler: () => undefined });
          app.timer('seven', { schedule: '0 0 0 1 1 * 2030', handler: () => undefined });
          app.timer('unset', { schedule: '%NOT_SET%', handler: () => undefined });
          app.serviceBusQueue('queue', { queueName: '%NOT_SET%', connection: 'X', handler: () => undefined });
          app.serviceBusQueue('connection', { queueName: 'q', connection: 'NOT_SET', handler: () => undefined });
          app.eventHub('extension', { eventHubName: 'h', connection: 'X', handler: () => undefined });`),
      },
    });
    expect(app.host.functions).toEqual([{ name: 'hello', trigger: 'httpTrigger' }]);
    expect((await call(app, '/hello')).status).toBe(200);
    const errors = app.messages('Host.Startup');
    for (const name of ['9lives', long, 'cron', 'quartz', 'seven', 'unset', 'queue', 'connection', 'extension']) {
      expect(errors.filter((message) => message.includes(`'${name}' function is in error`))).toHaveLength(1);
    }
  });
});

describe('settings', () => {
  it('are resolved in schedules, not in routes', async () => {
    const app = await startApp({
      files: {
        'app.js': esm(`
          app.timer('timed', { schedule: '%WHEN%', handler: () => undefined });
          app.http('routed', { route: '%WHERE%', handler: () => ({}) });`),
      },
      host: { settings: { WHEN: '0 0 0 1 1 *', WHERE: 'there' } },
    });
    expect(app.host.functions.map(({ name }) => name).sort()).toEqual(['routed', 'timed']);
    expect((await call(app, '/there')).status).toBe(404);
    expect((await call(app, '/%25WHERE%25')).status).toBe(200);
  });

  it('disable a function by AzureWebJobs.<name>.Disabled, not by the form with underscores', async () => {
    const source = ['one', 'two', 'three', 'four']
      .map((name) => `app.http('${name}', { handler: () => ({}) });`)
      .join('');
    const app = await startApp({
      files: { 'app.js': esm(source) },
      host: {
        settings: {
          'AzureWebJobs.one.Disabled': 'true',
          'AzureWebJobs.two.Disabled': '1',
          'AzureWebJobs.three.Disabled': 'false',
          AzureWebJobs__four__Disabled: 'true',
        },
      },
    });
    const statuses = await Promise.all(['one', 'two', 'three', 'four'].map((name) => call(app, `/${name}`)));
    expect(statuses.map(({ status }) => status)).toEqual([404, 404, 200, 200]);
  });

  it('come from nowhere else: neither the environment of the host nor local.settings.json', async () => {
    process.env['ONLY_IN_HOST'] = 'x';
    const source = `app.http('env', { handler: () => ({ jsonBody: Object.keys(process.env) }) });`;
    const local = JSON.stringify({ IsEncrypted: false, Values: { FROM_FILE: 'x' } });
    const app = await startApp({
      files: { 'app.js': esm(source), 'local.settings.json': local },
      host: { settings: { GIVEN: 'x' } },
    });
    delete process.env['ONLY_IN_HOST'];
    const names = JSON.parse((await call(app, '/env')).body.toString()) as string[];
    expect(names).toContain('GIVEN');
    expect(names).not.toContain('ONLY_IN_HOST');
    expect(names).not.toContain('FROM_FILE');
  });
});

describe('forms of an app', () => {
  it.each([
    ['CommonJS', { files: { 'app.js': cjs(hello) }, packageType: 'commonjs' as const }],
    ['a .cjs file in a module package', { files: { 'app.cjs': cjs(hello) } }],
    ['an ES module', { files: { 'app.js': esm(hello) } }],
    ['a .mjs file', { files: { 'app.mjs': esm(hello) }, packageType: 'commonjs' as const }],
    ['a top-level await', { files: { 'app.js': esm(`await new Promise((done) => setTimeout(done, 200)); ${hello}`) } }],
    ['several files', { files: { 'a.js': 'globalThis.order = "a";', 'b.js': esm(hello) }, main: '*.js' }],
  ])('%s', async (_, options) => {
    const app = await startApp(options);
    expect((await call(app, '/hello')).body.toString()).toBe('hello');
  });

  it.each(['esm', 'cjs'] as const)(
    'a bundle in %s, which answers sooner than the real host (2.6 s)',
    async (format) => {
      const directory = await prepareApp({
        files: { 'app.js': esm(hello) },
        main: 'bundle.js',
        packageType: format === 'esm' ? 'module' : 'commonjs',
      });
      await build({
        entryPoints: [path.join(directory, 'app.js')],
        outfile: path.join(directory, 'bundle.js'),
        bundle: true,
        platform: 'node',
        format,
        external: ['@azure/functions-core'],
        banner:
          format === 'esm'
            ? { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }
            : {},
        logLevel: 'silent',
      });
      const started = performance.now();
      const host = await startFunctionsHost({ directory, settings: {}, port: 0 });
      try {
        const response = await exchange(host.port, requestText('GET', '/hello'));
        expect(response.body.toString()).toBe('hello');
        expect(performance.now() - started).toBeLessThan(2600);
      } finally {
        await host.stop();
      }
    },
  );

  it('preloaded modules, before the app', async () => {
    const directory = await prepareApp({
      files: {
        'app.js': esm(
          `const seen = globalThis.preloaded; app.http('seen', { handler: () => ({ body: String(seen) }) });`,
        ),
        'preload.js': `globalThis.preloaded = 'yes';`,
      },
    });
    const preload = [path.join(directory, 'preload.js')];
    const host = await startFunctionsHost({ directory, settings: {}, port: 0, preload });
    try {
      expect((await exchange(host.port, requestText('GET', '/seen'))).body.toString()).toBe('yes');
    } finally {
      await host.stop();
    }
  });

  it('a registration in a handler, which throws', async () => {
    const source = `app.http('late', { handler: () => { try { ${hello} return { body: 'registered' }; } catch (error) { return { body: error.message }; } } });`;
    const app = await startApp({ files: { 'app.js': esm(source) } });
    expect((await call(app, '/late')).body.toString()).toContain('during app startup');
    expect((await call(app, '/hello')).status).toBe(404);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
