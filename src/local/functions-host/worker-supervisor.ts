import type { LogSink } from './logs.ts';
import { createRestartPolicy } from './restart-policy.ts';
import type { RpcFunctionMetadata, RpcInvocationRequest, RpcInvocationResponse } from './rpc.ts';
import { InvocationLost, type WorkerExit, type WorkerProcess } from './worker-process.ts';

export interface WorkerSupervisorOptions {
  startProcess: () => WorkerProcess;
  now: () => Date;
  log: LogSink;
}

export interface WorkerSupervisor {
  /**
   * Starts the first worker.
   * @returns the functions that the app registered
   * @throws Error when the app refuses to start or crashes too often
   */
  start(): Promise<RpcFunctionMetadata[]>;
  /** Waits for a worker if there is none. @throws InvocationFailed, InvocationLost */
  readonly invoke: (functionName: string, request: RpcInvocationRequest) => Promise<RpcInvocationResponse>;
  /** Resolves with the reason when the app refuses to start or crashed too often: the host must stop. */
  readonly givenUp: Promise<string>;
  /** Kills the worker with everything it runs, and starts another at once. */
  readonly replace: () => void;
  processId(): number;
  stop(): Promise<void>;
}

/** How long appTerminate hooks may take. */
const terminationGraceMilliseconds = 10_000;

/** Keeps one worker process running, by the rules of {@link createRestartPolicy}. */
export function createWorkerSupervisor(options: WorkerSupervisorOptions): WorkerSupervisor {
  const { startProcess, now, log } = options;
  const decide = createRestartPolicy({ now });
  const first = Promise.withResolvers<RpcFunctionMetadata[]>();
  const givenUp = Promise.withResolvers<string>();
  let ready = Promise.withResolvers<WorkerProcess>();
  let isReady = false;
  let current: WorkerProcess | undefined;
  let restartTimer: NodeJS.Timeout | undefined;
  let stopping = false;
  let isReplacing = false;

  function launch(): void {
    const worker = startProcess();
    current = worker;
    worker.onStarted((outcome) => {
      if ('refused' in outcome) return giveUp(`The app refused to start: ${outcome.refused}`);
      isReady = true;
      ready.resolve(worker);
      first.resolve(outcome.functions);
    });
    worker.onExit(afterExit);
  }

  function afterExit(exit: WorkerExit): void {
    current = undefined;
    if (stopping) return;
    // Who waits for a worker that never came up goes on waiting for the next.
    if (isReady) ready = Promise.withResolvers();
    isReady = false;
    if (isReplacing) {
      isReplacing = false;
      return launch();
    }
    const decision = decide(exit);
    log({
      category: 'Host.Worker',
      level: 'error',
      message: `Worker process exited with code ${exit.code}: ${decision.kind}.`,
    });
    if (decision.kind === 'restart') restartTimer = setTimeout(launch, decision.delayMilliseconds);
    else if (decision.kind === 'stop-host') giveUp('The worker process crashed too often.');
    else stayDown();
  }

  function stayDown(): void {
    ready.promise.catch(() => undefined);
    ready.reject(new InvocationLost('There is no worker, and there will be none.'));
  }

  function giveUp(reason: string): void {
    stopping = true;
    current?.kill();
    first.reject(new Error(reason));
    givenUp.resolve(reason);
  }

  return {
    givenUp: givenUp.promise,
    async start() {
      launch();
      return first.promise;
    },
    async invoke(functionName, request) {
      const worker = await ready.promise;
      return worker.invoke(functionName, request);
    },
    replace() {
      isReplacing = current !== undefined;
      current?.kill();
    },
    processId: () => current?.processId ?? 0,
    async stop() {
      stopping = true;
      clearTimeout(restartTimer);
      await current?.terminate(terminationGraceMilliseconds);
    },
  };
}
