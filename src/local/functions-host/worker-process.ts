import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { LogSink } from './logs.ts';
import type { RpcFunctionMetadata, RpcInvocationRequest, RpcInvocationResponse } from './rpc.ts';
import type { HostMessage, InvocationFailure, WorkerMessage } from './worker/protocol.ts';

export interface WorkerProcessOptions {
  /** The app's root, absolute; the process runs in it. */
  directory: string;
  environment: Record<string, string>;
  /** Arguments for Node, before the worker's own file. */
  nodeArguments: readonly string[];
  /** URLs of modules to import before the app. */
  preload: readonly string[];
  hostVersion: string;
  log: LogSink;
}

export interface WorkerProcess {
  readonly processId: number;
  /** Called once, unless the process ends before. */
  onStarted(callback: (outcome: StartOutcome) => void): void;
  /** Called once. */
  onExit(callback: (exit: WorkerExit) => void): void;
  /** @throws InvocationFailed, InvocationLost */
  invoke(functionName: string, request: RpcInvocationRequest): Promise<RpcInvocationResponse>;
  /** Runs the appTerminate hooks and waits for them, then ends the process. */
  terminate(graceMilliseconds: number): Promise<void>;
  kill(): void;
}

/** The functions that the app registered, or why the app may not be served. */
export type StartOutcome = { functions: RpcFunctionMetadata[] } | { refused: string };

export interface WorkerExit {
  /** null: ended by a signal. */
  code: number | null;
}

/** A function threw, or its worker went away under it. */
export class InvocationFailed extends Error {
  override readonly name = 'InvocationFailed';
  readonly failure: InvocationFailure;

  constructor(failure: InvocationFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The worker went away in a way that the real host doesn't notice: whoever called waits for good. */
export class InvocationLost extends Error {
  override readonly name = 'InvocationLost';
}

interface PendingInvocation {
  resolve(response: RpcInvocationResponse): void;
  reject(error: InvocationFailed | InvocationLost): void;
}

/** The real host notices every end of its worker but these two, and leaves their callers waiting. */
const silentExitCodes: readonly (number | null)[] = [0, 200];

export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const { directory, environment, nodeArguments, preload, hostVersion, log } = options;
  const child = fork(fileURLToPath(new URL('worker/main.ts', import.meta.url)), [], {
    cwd: directory,
    env: environment,
    execArgv: [...nodeArguments],
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const pending = new Map<string, PendingInvocation>();
  const events = new EventEmitter<{ started: [StartOutcome]; exited: [WorkerExit] }>();
  const exited = once(events, 'exited');
  const terminated = Promise.withResolvers<void>();

  child.on('message', (message: WorkerMessage) => {
    switch (message.kind) {
      case 'result':
        return take(message.response.invocationId)?.resolve(message.response);
      case 'failure':
        return take(message.invocationId)?.reject(new InvocationFailed(message.failure));
      case 'log':
        return log({ category: message.category, level: message.level, message: message.message });
      case 'ready':
        return void events.emit('started', { functions: message.functions });
      case 'start-refused':
        return void events.emit('started', { refused: message.reason });
      case 'terminated':
        return terminated.resolve();
    }
  });
  child.on('error', (error) => log({ category: 'Host.Worker', level: 'error', message: error.message }));
  child.on('exit', (code) => {
    const failure = gone(code);
    for (const invocation of pending.values()) invocation.reject(failure);
    pending.clear();
    terminated.resolve();
    events.emit('exited', { code });
  });
  forwardLines(child.stdout, (message) => log({ category: 'Host.Function.Console', level: 'information', message }));
  forwardLines(child.stderr, (message) => log({ category: 'Host.Function.Console', level: 'error', message }));
  post({ kind: 'start', directory, preload, hostVersion });

  function take(invocationId: string): PendingInvocation | undefined {
    const invocation = pending.get(invocationId);
    pending.delete(invocationId);
    return invocation;
  }

  function post(message: HostMessage): void {
    if (!child.connected) return;
    // The channel may close between the check and the write; 'exit' tells.
    child.send(message, () => undefined);
  }

  return {
    processId: child.pid ?? 0,
    onStarted: (callback) => void events.once('started', callback),
    onExit: (callback) => void events.once('exited', callback),
    invoke(functionName, request) {
      return new Promise((resolve, reject) => {
        if (child.exitCode !== null || child.signalCode !== null) return reject(gone(child.exitCode));
        pending.set(request.invocationId, { resolve, reject });
        post({ kind: 'invoke', functionName, request });
      });
    },
    async terminate(graceMilliseconds) {
      post({ kind: 'terminate' });
      const grace = setTimeout(terminated.resolve, graceMilliseconds);
      await terminated.promise;
      clearTimeout(grace);
      child.kill('SIGKILL');
      await exited;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function gone(code: number | null): InvocationFailed | InvocationLost {
  if (silentExitCodes.includes(code)) return new InvocationLost(`The worker process ended with code ${code}.`);
  const message = `The worker process ended (${code === null ? 'killed' : `exit code ${code}`}).`;
  return new InvocationFailed({ message, stack: message });
}

function forwardLines(stream: Readable | null, line: (text: string) => void): void {
  if (stream) createInterface({ input: stream, crlfDelay: Infinity }).on('line', line);
}
