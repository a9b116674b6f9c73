/**
 * The worker process: loads the app and runs its functions for the host at the other end of the IPC channel. An app's
 * unhandled rejection or uncaught exception ends the process, as it ends the real worker.
 */
import { format } from 'node:util';
import type { RpcInvocationRequest, RpcLogLevel } from '../rpc.ts';
import { type CoreModule, provideCoreModule } from './core-module.ts';
import { createHooks, withReadOnly } from './hooks.ts';
import { invoke } from './invoke.ts';
import { withoutServers } from './without-servers.ts';
import { loadApp } from './load-app.ts';
import type { HostMessage, InvocationFailure, WorkerMessage } from './protocol.ts';
import { createRegistrations } from './registrations.ts';

process.title = 'node';
const hooks = createHooks();
const registrations = createRegistrations();
const appHookData = {};
const appLevelHookData = {};
let core: CoreModule | undefined;

process.on('message', (message: HostMessage) => {
  if (message.kind === 'invoke') runInvocation(message.functionName, message.request).catch(crash);
  else if (message.kind === 'start') start(message).catch(crash);
  else terminate().catch(crash);
});
process.on('disconnect', () => process.exit());

// The standard streams don't tell a warning from an error; the host must.
console.warn = (...parameters) => {
  for (const line of format(...parameters).split('\n')) {
    send({ kind: 'log', category: 'Host.Function.Console', level: 'warning', message: line });
  }
};

async function start({ directory, preload, hostVersion }: Extract<HostMessage, { kind: 'start' }>): Promise<void> {
  core = provideCoreModule({ hooks, registrations, hostVersion, log: systemLog });
  for (const module of preload) await import(module);
  try {
    await loadApp(directory);
  } catch (error) {
    registrations.clear();
    systemLog('error', `Worker was unable to load the app's entry point: ${describe(error).stack}`);
  }
  try {
    await hooks.run('appStart', hookContext({ functionAppDirectory: directory }));
    await withoutServers(async () => core?.programmingModel()?.getCapabilities?.({}));
  } catch (error) {
    send({ kind: 'start-refused', reason: describe(error).stack });
    return;
  }
  registrations.close();
  send({ kind: 'ready', functions: [...registrations.functions.values()].map(({ metadata }) => plain(metadata)) });
}

async function runInvocation(functionName: string, request: RpcInvocationRequest): Promise<void> {
  const { invocationId } = request;
  try {
    const registered = registrations.functions.get(functionName);
    const programmingModel = core?.programmingModel();
    if (!registered || !programmingModel) throw new Error(`Function code for '${functionName}' is not loaded.`);
    const response = await invoke(registered, request, {
      hooks,
      programmingModel,
      appHookData,
      log: ({ level, category, message, invocationContext }) => {
        const line = withReadOnly({ level, message }, { category, invocationContext, hookData: {}, appHookData });
        hooks.runSynchronously('log', line);
        const suffix = category === 'user' ? '.User' : '';
        send({ kind: 'log', category: `Function.${functionName}${suffix}`, level: line.level, message: line.message });
      },
    });
    send({ kind: 'result', response });
  } catch (error) {
    send({ kind: 'failure', invocationId, failure: describe(error) });
  }
}

async function terminate(): Promise<void> {
  try {
    await hooks.run('appTerminate', hookContext({}));
  } catch (error) {
    systemLog('error', `An appTerminate hook failed: ${describe(error).stack}`);
  }
  send({ kind: 'terminated' });
}

function hookContext(members: object): object {
  return withReadOnly({ ...members }, { hookData: appLevelHookData, appHookData });
}

/** A failure of the worker itself, which must not pass for one of the app. */
function crash(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function systemLog(level: RpcLogLevel, message: string): void {
  send({ kind: 'log', category: 'Worker.LanguageWorkerChannel.node', level, message });
}

function describe(error: unknown): InvocationFailure {
  if (error instanceof Error) return { message: error.message, stack: error.stack ?? error.message };
  const text = typeof error === 'string' ? error : format(error);
  return { message: text, stack: text };
}

/** Registrations may carry functions or symbols in a trigger's options, which no channel takes. */
function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

function send(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}
