import type { RpcInvocationRequest, RpcInvocationResponse, RpcLogLevel } from '../rpc.ts';
import { type Hooks, withReadOnly } from './hooks.ts';
import type { CoreInvocationContext, FunctionCallback, ProgrammingModel, RegisteredFunction } from './registrations.ts';

export interface InvokeOptions {
  hooks: Hooks;
  programmingModel: ProgrammingModel;
  /** Shared by the hooks of the whole app. */
  appHookData: object;
  log: (line: InvocationLogLine) => void;
}

export interface InvocationLogLine {
  level: RpcLogLevel;
  category: 'user' | 'system';
  message: string;
  /** undefined while the invocation is being prepared. */
  invocationContext: unknown;
}

/**
 * One invocation, driven through the app's own `@azure/functions`: arguments, preInvocation hooks, the handler,
 * postInvocation hooks, response. A postInvocation hook may clear the error and set a result.
 * @throws what the handler or a hook threw; a thrown null or undefined is no error
 */
export async function invoke(
  { metadata, callback }: RegisteredFunction,
  request: RpcInvocationRequest,
  { hooks, programmingModel, appHookData, log }: InvokeOptions,
): Promise<RpcInvocationResponse> {
  const known: { invocationContext?: unknown } = {};
  const core: CoreInvocationContext = {
    invocationId: request.invocationId,
    request,
    metadata,
    state: undefined,
    log: (level, category, message) =>
      log({
        level,
        category: category === 'user' ? 'user' : 'system',
        message,
        invocationContext: known.invocationContext,
      }),
  };
  const inState = async <Result>(state: CoreInvocationContext['state'], action: () => Promise<Result>) => {
    core.state = state;
    try {
      return await action();
    } finally {
      core.state = undefined;
    }
  };

  const model = await programmingModel.getInvocationModel(core);
  const { context, inputs } = await model.getArguments();
  known.invocationContext = context;

  const readOnly = { hookData: {}, appHookData, invocationContext: context };
  const before = withReadOnly<{ functionCallback: FunctionCallback; inputs: unknown[] }>(
    { functionCallback: callback, inputs },
    readOnly,
  );
  await inState('preInvocationHooks', () => hooks.run('preInvocation', before));

  const after = withReadOnly<{ inputs: unknown[]; result: unknown; error: unknown }>(
    { inputs: before.inputs, result: null, error: null },
    readOnly,
  );
  try {
    after.result = await inState('invocation', () =>
      model.invokeFunction(context, before.inputs, before.functionCallback),
    );
  } catch (error) {
    after.error = error;
  }
  await inState('postInvocationHooks', () => hooks.run('postInvocation', after));
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- the app may have thrown anything
  if (after.error !== null && after.error !== undefined) throw after.error;
  return model.getResponse(context, after.result);
}
