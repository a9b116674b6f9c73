import { randomUUID } from 'node:crypto';
import type { LogSink } from './logs.ts';
import type { RpcInvocationRequest, RpcInvocationResponse } from './rpc.ts';
import { InvocationFailed, InvocationLost } from './worker-process.ts';

export interface Invocation extends Pick<RpcInvocationRequest, 'inputData' | 'triggerMetadata' | 'retryContext'> {
  /** Why it runs, for the log. */
  reason: string;
  /** Given when a retry belongs to an earlier try. */
  invocationId?: string;
}

export interface Invoker {
  /**
   * @throws InvocationFailed when the function threw, ran out of time or lost its worker
   * @throws InvocationLost when nobody will ever know
   */
  invoke(functionName: string, invocation: Invocation): Promise<RpcInvocationResponse>;
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>;
}

export interface InvokerOptions {
  send: (functionName: string, request: RpcInvocationRequest) => Promise<RpcInvocationResponse>;
  /** Infinity: no limit. */
  timeoutMilliseconds: number;
  /** A function ran out of time: its worker must go, with everything else that it runs. */
  onTimeout: () => void;
  log: LogSink;
}

/** Runs functions and writes the host's two lines about each run. */
export function createInvoker({ send, timeoutMilliseconds, onTimeout, log }: InvokerOptions): Invoker {
  let running = 0;
  let waiters: (() => void)[] = [];

  async function run(functionName: string, request: RpcInvocationRequest): Promise<RpcInvocationResponse> {
    if (timeoutMilliseconds === Infinity) return send(functionName, request);
    const timer = setTimeout(() => {
      const message = `Timeout value of ${timeoutMilliseconds} ms was exceeded by function: Functions.${functionName}`;
      log({ category: `Function.${functionName}`, level: 'error', message });
      onTimeout();
    }, timeoutMilliseconds);
    try {
      return await send(functionName, request);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async invoke(functionName, { reason, invocationId = randomUUID(), ...input }) {
      const category = `Function.${functionName}`;
      const started = performance.now();
      const executed = (outcome: string): string =>
        `Executed 'Functions.${functionName}' (${outcome}, Id=${invocationId}, Duration=${Math.round(performance.now() - started)}ms)`;
      log({
        category,
        level: 'information',
        message: `Executing 'Functions.${functionName}' (Reason='${reason}', Id=${invocationId})`,
      });
      running++;
      try {
        const traceContext = { traceParent: '', traceState: '', attributes: {} };
        const response = await run(functionName, { invocationId, traceContext, ...input });
        log({ category, level: 'information', message: executed('Succeeded') });
        return response;
      } catch (error) {
        if (error instanceof InvocationLost) throw error;
        const detail = error instanceof InvocationFailed ? error.failure.stack : String(error);
        log({ category, level: 'error', message: `${executed('Failed')} ${detail}` });
        throw error;
      } finally {
        running--;
        if (running === 0) {
          for (const wake of waiters) wake();
          waiters = [];
        }
      }
    },
    async idle() {
      if (running > 0) await new Promise<void>((resolve) => waiters.push(resolve));
    },
  };
}
