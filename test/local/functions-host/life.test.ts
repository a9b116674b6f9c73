import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createRestartPolicy } from '../../../src/local/functions-host/restart-policy.ts';
import { prepareApp, type RunningApp, startApp } from './support/app.ts';
import { exchange, openConnection, type RawResponse, requestText } from './support/raw-client.ts';

const call = (app: RunningApp, target: string): Promise<RawResponse> =>
  exchange(app.host.port, requestText('GET', target));

/** Starts a call and resolves as soon as its function runs. */
async function callInFlight(app: RunningApp, target: string): Promise<{ response: Promise<RawResponse> }> {
  const name = /\w+/.exec(target)?.[0];
  const before = app.messages(`Function.${name}`).length;
  const response = call(app, target);
  await app.line(
    ({ category, message }) =>
      category === `Function.${name}` && message.startsWith('Executing') && app.messages(category).length > before,
  );
  return { response };
}

/** Brings the worker down; its call may or may not be answered. */
async function crash(app: RunningApp, how: string): Promise<void> {
  const before = app.host.workerPid;
  call(app, `/crash/${how}`).catch(() => undefined);
  await eventually('the end of the worker', () => app.host.workerPid !== before);
}

const isRefused = async (port: number): Promise<boolean> => {
  try {
    (await openConnection(port)).close();
    return false;
  } catch {
    return true;
  }
};

async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @returns 'pending' when nothing came in time */
const within = async <Value>(milliseconds: number, promise: Promise<Value>): Promise<Value | 'pending'> =>
  Promise.race([promise, new Promise<'pending'>((resolve) => setTimeout(() => resolve('pending'), milliseconds))]);

describe('concurrency', () => {
  it('is unlimited', async () => {
    const app = await startApp({ app: 'fragile' });
    const started = performance.now();
    const responses = await Promise.all(Array.from({ length: 200 }, () => call(app, '/wait/300')));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('is what host.json allows: the rest waits, and beyond that is refused with 429', async () => {
    const app = await startApp({ app: 'fragile', http: { maxConcurrentRequests: 5, maxOutstandingRequests: 8 } });
    const started = performance.now();
    const finished = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const response = await call(app, '/wait/300');
        return { response, milliseconds: performance.now() - started };
      }),
    );
    const served = finished.filter(({ response }) => response.status === 200);
    const refused = finished.filter(({ response }) => response.status === 429);
    expect([served.length, refused.length]).toEqual([8, 4]);
    const [first = 0, , , , fifth = 0, sixth = 0] = served
      .map(({ milliseconds }) => milliseconds)
      .sort((a, b) => a - b);
    expect(fifth - first).toBeLessThan(290);
    expect(sixth - first).toBeGreaterThan(290);
    for (const { response } of refused) {
      expect(response.header('x-function-scaleout')).toBe('1');
      expect(response.header('retry-after')).toBeUndefined();
      expect(response.body).toHaveLength(0);
    }
  });

  it('ends where a function blocks: calls wait, the host itself answers', async () => {
    const app = await startApp({ app: 'fragile' });
    const { response: blocked } = await callInFlight(app, '/block/800');
    const waiting = call(app, '/wait/0');
    expect((await call(app, '/nowhere')).status).toBe(404);
    expect(await within(50, waiting)).toBe('pending');
    expect((await blocked).body.toString()).toBe('blocked');
    expect((await waiting).status).toBe(200);
  });
});

describe('a worker that crashes', () => {
  it.each(['reject', 'throw', '3'])(
    '(%s) fails all calls in flight with an empty 500 and is restarted',
    async (how) => {
      const app = await startApp({ app: 'fragile' });
      const before = app.host.workerPid;
      const { response: victim } = await callInFlight(app, '/wait/20000');
      await crash(app, how);
      const response = await victim;
      expect([response.status, response.body.length]).toEqual([500, 0]);
      const waited = await call(app, '/wait/0');
      expect(waited.status).toBe(200);
      expect(Number(waited.body.toString())).not.toBe(before);
      expect(app.host.workerPid).toBe(Number(waited.body.toString()));
    },
  );

  it('is restarted at once, then no sooner than 10 s after the previous restart', () => {
    let time = 0;
    const decide = createRestartPolicy({ now: () => new Date(time) });
    expect(decide({ code: 1 })).toEqual({ kind: 'restart', delayMilliseconds: 200 });
    time = 3000;
    expect(decide({ code: null })).toEqual({ kind: 'restart', delayMilliseconds: 7200 });
  });

  it('stops the host with the third crash within 30 minutes, code 200 not being one', () => {
    let time = 0;
    const decide = createRestartPolicy({ now: () => new Date(time) });
    decide({ code: 1 });
    expect(decide({ code: 200 })).toEqual({ kind: 'restart', delayMilliseconds: 200 });
    time = 29 * 60_000;
    decide({ code: 1 });
    time = 31 * 60_000;
    expect(decide({ code: 1 }).kind).toBe('restart');
    time = 32 * 60_000;
    expect(decide({ code: 1 }).kind).toBe('stop-host');
  });

  it('the third time closes the port, after its calls have been answered', async () => {
    let time = Date.now();
    const app = await startApp({ app: 'fragile', host: { now: () => new Date(time) } });
    for (let count = 0; count < 2; count++) {
      await crash(app, 'reject');
      time += 60_000;
      expect((await call(app, '/wait/0')).status).toBe(200);
    }
    const { response: victim } = await callInFlight(app, '/wait/20000');
    await crash(app, 'reject');
    expect((await victim).status).toBe(500);
    await eventually('the end of the host', () => isRefused(app.host.port));
  });

  it('with code 0 is not restarted, and every call waits for good', async () => {
    const app = await startApp({ app: 'fragile' });
    const { response: victim } = await callInFlight(app, '/wait/100');
    victim.catch(() => undefined);
    await crash(app, '0');
    const later = call(app, '/wait/0');
    later.catch(() => undefined);
    expect(await within(600, Promise.race([victim, later]))).toBe('pending');
    expect((await call(app, '/nowhere')).status).toBe(404);
  });

  it('with code 200 is restarted, but calls in flight wait for good', async () => {
    const app = await startApp({ app: 'fragile' });
    const { response: victim } = await callInFlight(app, '/wait/100');
    victim.catch(() => undefined);
    await crash(app, '200');
    expect((await call(app, '/wait/0')).status).toBe(200);
    expect(await within(300, victim)).toBe('pending');
  });
});

describe('functionTimeout', () => {
  it('kills the worker with everything that it runs, and starts another', async () => {
    const app = await startApp({
      app: 'fragile',
      hostJson: { functionTimeout: '00:00:01' },
    });
    const before = app.host.workerPid;
    const { response: victim } = await callInFlight(app, '/wait/20000');
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { response: neighbour } = await callInFlight(app, '/wait/20001');
    expect([(await victim).status, (await neighbour).status]).toEqual([500, 500]);
    expect(app.messages('Function.wait').join()).toContain('was exceeded by function: Functions.wait');
    expect(Number((await call(app, '/wait/0')).body.toString())).not.toBe(before);
  });
});

describe('stopping the host', () => {
  it('refuses connections at once, lets calls finish, then runs appTerminate to its end, without a signal', async () => {
    const app = await startApp({ app: 'fragile' });
    const idle = await openConnection(app.host.port);
    const { response } = await callInFlight(app, '/wait/400');
    const stopping = app.host.stop();
    expect(await isRefused(app.host.port)).toBe(true);
    await idle.ended();
    const finished = await response;
    expect(finished.status).toBe(200);
    expect(finished.header('connection')).toBe('close');
    expect(app.messages('Host.Function.Console')).toEqual([]);
    await stopping;
    expect(app.messages('Host.Function.Console')).toEqual(['terminated in order']);
    expect(app.host.workerPid).toBe(0);
  });

  it('is quick when nothing runs', async () => {
    const app = await startApp({ app: 'http' });
    const started = performance.now();
    await app.host.stop();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('a host that is killed', () => {
  it('takes its worker with it', async () => {
    const directory = await prepareApp({ app: 'fragile' });
    const index = new URL('../../../src/local/functions-host/index.ts', import.meta.url).href;
    const script = `
      import { startFunctionsHost } from ${JSON.stringify(index)};
      const host = await startFunctionsHost({ directory: ${JSON.stringify(directory)}, settings: {}, port: 0 });
      console.log(host.workerPid);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const workerPid = await new Promise<number>((resolve) =>
      child.stdout.once('data', (data) => resolve(Number(data))),
    );
    const isRunning = (): boolean => {
      try {
        return process.kill(workerPid, 0);
      } catch {
        return false;
      }
    };
    expect(isRunning()).toBe(true);
    child.kill('SIGKILL');
    await eventually('the end of the worker', () => !isRunning());
  });
});
