import type { RpcFunctionMetadata, RpcInvocationRequest, RpcInvocationResponse, RpcLogLevel } from '../rpc.ts';

export type FunctionCallback = (...inputs: unknown[]) => unknown;

/** What `@azure/functions` is asked for at each invocation. */
export interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel | Promise<InvocationModel>;
  getCapabilities?(capabilities: Record<string, string>): Promise<Record<string, string>>;
}

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<RpcInvocationResponse>;
}

export interface CoreInvocationContext {
  invocationId: string;
  request: RpcInvocationRequest;
  metadata: RpcFunctionMetadata;
  state: 'preInvocationHooks' | 'invocation' | 'postInvocationHooks' | undefined;
  log(level: RpcLogLevel, category: 'user' | 'system' | 'customMetric', message: string): void;
}

export interface RegisteredFunction {
  metadata: RpcFunctionMetadata;
  callback: FunctionCallback;
}

export interface Registrations {
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  /** @throws when the name is taken, or the app has started. */
  add(metadata: RpcFunctionMetadata, callback: FunctionCallback): () => void;
  clear(): void;
  /** From here on nothing may be registered. */
  close(): void;
}

export function createRegistrations(): Registrations {
  const functions = new Map<string, RegisteredFunction>();
  let open = true;
  return {
    functions,
    add(metadata, callback) {
      if (!open) throw new Error('A function can only be registered during app startup.');
      if (functions.has(metadata.name)) throw new Error(`A function with the name "${metadata.name}" already exists.`);
      functions.set(metadata.name, { metadata, callback });
      return () => {
        if (!open) throw new Error('A function can only be disposed during app startup.');
        functions.delete(metadata.name);
      };
    },
    clear: () => functions.clear(),
    close() {
      open = false;
    },
  };
}
