import Module from 'node:module';
import type { RpcFunctionMetadata, RpcLogLevel } from '../rpc.ts';
import type { HookCallback, Hooks } from './hooks.ts';
import type { FunctionCallback, ProgrammingModel, Registrations } from './registrations.ts';

export interface CoreModuleOptions {
  hooks: Hooks;
  registrations: Registrations;
  hostVersion: string;
  log: (level: RpcLogLevel, message: string) => void;
}

export interface CoreModule {
  /** The model that `@azure/functions` has set, once the app has registered something. */
  programmingModel(): ProgrammingModel | undefined;
}

/** Version of the Node.js worker whose contract this worker follows. */
const workerVersion = '3.9.1';

/**
 * Provides `@azure/functions-core` to every `require` in this process, as the Azure Functions worker does: the module
 * exists nowhere else. ES modules reach it through the `require` that bundlers and CommonJS packages use.
 */
export function provideCoreModule({ hooks, registrations, hostVersion, log }: CoreModuleOptions): CoreModule {
  let model: ProgrammingModel | undefined;
  const core = {
    version: workerVersion,
    hostVersion,
    Disposable,
    log: (level: RpcLogLevel, _category: string, message: string) => log(level, message),
    registerFunction: (metadata: RpcFunctionMetadata, callback: FunctionCallback) =>
      new Disposable(registrations.add(metadata, callback)),
    registerHook: (name: string, callback: HookCallback) => new Disposable(hooks.register(name, callback)),
    setProgrammingModel(programmingModel: ProgrammingModel) {
      model = programmingModel;
    },
    getProgrammingModel: () => model,
  };
  // The real worker replaces the same method, so whatever works here works there.
  const prototype = Module.prototype as unknown as { require: (id: string) => unknown };
  prototype.require = new Proxy(prototype.require, {
    apply: (target, module, parameters: [string]): unknown =>
      parameters[0] === '@azure/functions-core' ? core : Reflect.apply(target, module, parameters),
  });
  return { programmingModel: () => model };
}

/** Part of the module's contract, which is why it is a class. */
class Disposable {
  static from(...others: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => others.forEach((other) => other.dispose()));
  }

  readonly #release: () => unknown;

  constructor(release: () => unknown) {
    this.#release = release;
  }

  dispose(): unknown {
    return this.#release();
  }
}
