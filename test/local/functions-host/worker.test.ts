import { realpath } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { startFunctionsHost } from '../../../src/local/functions-host/index.ts';
import { prepareApp, type RunningApp, startApp } from './support/app.ts';
import { exchange, requestText } from './support/raw-client.ts';

describe('logs', () => {
  let app: RunningApp;

  beforeAll(async () => {
    app = await startApp({ app: 'talkative' });
    await exchange(app.host.port, requestText('GET', '/talk'));
    await app.line(({ message }) => message === 'failed');
    await app.line(({ message }) => message === 'debug');
  });

  it('have a line of the console in Host.Function.Console, with its level', () => {
    const lines = app.lines.filter(({ category }) => category === 'Host.Function.Console');
    expect(lines.map(({ level, message }) => `${level} ${message}`).sort()).toEqual([
      'error failed',
      'information debug',
      'information info',
      'information one',
      'information two',
      'warning warned',
    ]);
  });

  it('have context.log and its like in Function.<name>.User, trace and debug hidden', () => {
    const lines = app.lines.filter(({ category }) => category === 'Function.talk.User');
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'information log { a: 1 }',
      'information context info',
      'warning context warn',
      'error context error',
    ]);
  });

  it('show what host.json asks for', async () => {
    const logLevel = { default: 'Error', Function: 'Debug', 'Function.talk': 'Warning', 'Function.talk.User': 'Trace' };
    const other = await startApp({
      app: 'talkative',
      hostJson: { logging: { logLevel } },
    });
    await exchange(other.host.port, requestText('GET', '/talk'));
    await other.line(({ message }) => message === 'failed');
    expect(other.messages('Function.talk.User')).toContain('context trace');
    expect(other.messages('Function.talk')).toEqual([]);
    expect(other.messages('Host.Function.Console')).toEqual(['failed']);
  });
});

describe('the worker', () => {
  it('has the app root as its folder, the settings as its environment, and honours arguments for Node', async () => {
    const directory = await realpath(await prepareApp({ app: 'talkative' }));
    const settings = {
      SETTING: 'value',
      NODE_OPTIONS: '--max-old-space-size=123',
      languageWorkers__node__arguments: '--no-warnings --stack-trace-limit=50',
    };
    const host = await startFunctionsHost({ directory, settings, port: 0 });
    try {
      const headers = ['traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'];
      const { body } = await exchange(host.port, requestText('GET', '/process', { headers }));
      const seen = JSON.parse(body.toString()) as Record<string, unknown> & { environment: Record<string, string> };
      expect(seen).toMatchObject({
        cwd: directory,
        title: 'node',
        nodeArguments: ['--no-warnings', '--stack-trace-limit=50'],
      });
      expect(seen['heapLimit']).toBeLessThan(400 * 1024 * 1024);
      expect(seen.environment).toMatchObject({
        ...settings,
        PATH: process.env['PATH'],
        FUNCTIONS_APPLICATION_DIRECTORY: directory,
        FUNCTIONS_WORKER_DIRECTORY: expect.stringContaining('worker') as string,
      });
      expect(Object.keys(seen.environment).filter((name) => name.startsWith('WEBSITE_'))).toEqual([]);
      expect(seen['traceContext']).toMatchObject({ traceParent: '' });
      expect(seen['traceparent']).toContain('0af7651916cd43dd8448eb211c80319c');
      expect(seen['triggerMetadata']).toBeNull();
    } finally {
      await host.stop();
    }
  });
});
