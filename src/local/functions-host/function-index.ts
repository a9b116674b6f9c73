import { isDisabled, type Settings } from './configuration/settings.ts';
import { type HttpTrigger, readHttpTrigger } from './http/http-function.ts';
import type { RpcBinding, RpcFunctionMetadata } from './rpc.ts';
import { createRouteTable, type RouteTable } from './routing/route-table.ts';
import { InvalidTemplate } from './routing/template.ts';
import type { ServiceBusFunction } from './service-bus/service-bus-function.ts';
import type { TimerFunction } from './timers/timer-function.ts';

export interface FunctionIndexOptions {
  registered: readonly RpcFunctionMetadata[];
  settings: Settings;
  routePrefix: string;
  createTimer: (metadata: RpcFunctionMetadata, bindingName: string, binding: RpcBinding) => TimerFunction;
  createServiceBus: (metadata: RpcFunctionMetadata, bindingName: string, binding: RpcBinding) => ServiceBusFunction;
}

export interface FunctionIndex {
  /** undefined: what the app registered stops the whole host. */
  routes: RouteTable<HttpTrigger> | undefined;
  timers: ReadonlyMap<string, TimerFunction>;
  serviceBus: readonly ServiceBusFunction[];
  /** Everything that runs. `trigger` is the binding's type, e.g. `httpTrigger`. */
  served: readonly { name: string; trigger: string }[];
  /** Functions that the host dropped, or what stops it as a whole. */
  errors: readonly string[];
}

const validName = /^[a-z][a-z0-9_-]{0,127}$/i;

/**
 * Decides what of an app runs: disabled functions don't, one that can't be served is dropped while the others run, and
 * two names that differ only in case or a template that can't be compiled stop everything.
 */
export function indexFunctions(options: FunctionIndexOptions): FunctionIndex {
  const { registered, settings, routePrefix, createTimer, createServiceBus } = options;
  const errors: string[] = [];
  const http: HttpTrigger[] = [];
  const timers = new Map<string, TimerFunction>();
  const serviceBus: ServiceBusFunction[] = [];
  const served: { name: string; trigger: string }[] = [];

  function add(metadata: RpcFunctionMetadata): void {
    if (!validName.test(metadata.name)) throw new Error('The name is not valid.');
    const [bindingName, binding] =
      Object.entries(metadata.bindings).find(([, { type }]) => /trigger$/i.test(type)) ?? [];
    if (bindingName === undefined || !binding) throw new Error('There is no trigger.');
    const type = binding.type.toLowerCase();
    if (type === 'httptrigger') http.push(readHttpTrigger(metadata, bindingName, binding));
    else if (type === 'timertrigger') timers.set(metadata.name, createTimer(metadata, bindingName, binding));
    else if (type === 'servicebustrigger') serviceBus.push(createServiceBus(metadata, bindingName, binding));
    else throw new Error(`There is no extension for '${binding.type}'.`);
    served.push({ name: metadata.name, trigger: binding.type });
  }

  const drop = (name: string, reason: string): void => {
    errors.push(`The '${name}' function is in error: ${reason}`);
  };
  const broken = (reason: string): FunctionIndex => ({
    routes: undefined,
    timers: new Map(),
    serviceBus: [],
    served: [],
    errors: [...errors, reason],
  });

  const names = registered.map(({ name }) => name.toLowerCase());
  if (new Set(names).size < names.length) return broken('Two functions have names that differ only in case.');
  for (const metadata of registered) {
    if (isDisabled(metadata.name, settings)) continue;
    try {
      add(metadata);
    } catch (error) {
      drop(metadata.name, error instanceof Error ? error.message : String(error));
    }
  }
  try {
    const routes = createRouteTable(http, routePrefix);
    for (const { name, reason } of routes.refused) drop(name, reason);
    const refused = new Set(routes.refused.map(({ name }) => name));
    return { routes, timers, serviceBus, served: served.filter(({ name }) => !refused.has(name)), errors };
  } catch (error) {
    if (error instanceof InvalidTemplate) return broken(error.message);
    throw error;
  }
}
