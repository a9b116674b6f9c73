import type { RpcFunctionMetadata, RpcInvocationRequest, RpcInvocationResponse, RpcLogLevel } from '../rpc.ts';

/** What the host tells its worker process. */
export type HostMessage =
  | { kind: 'start'; directory: string; preload: readonly string[]; hostVersion: string }
  | { kind: 'invoke'; functionName: string; request: RpcInvocationRequest }
  | { kind: 'terminate' };

/** What a worker process tells its host. */
export type WorkerMessage =
  | { kind: 'ready'; functions: RpcFunctionMetadata[] }
  /** An `appStart` hook rejected: the host may not serve this app. */
  | { kind: 'start-refused'; reason: string }
  | { kind: 'result'; response: RpcInvocationResponse }
  | { kind: 'failure'; invocationId: string; failure: InvocationFailure }
  | { kind: 'log'; category: string; level: RpcLogLevel; message: string }
  | { kind: 'terminated' };

/** What a function threw, as text: errors don't survive the way between processes. */
export interface InvocationFailure {
  message: string;
  stack: string;
}
