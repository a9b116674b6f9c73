import type { TokenCredential } from '@azure/identity';
import type { ServiceBusClient } from '@azure/service-bus';
import type { HostJson } from './configuration/host-json.ts';
import type { Settings } from './configuration/settings.ts';
import { type FunctionIndex, indexFunctions } from './function-index.ts';
import type { Invoker } from './invoker.ts';
import type { LogSink } from './logs.ts';
import type { RpcFunctionMetadata } from './rpc.ts';
import { connect, disconnect } from './service-bus/connection.ts';
import { createServiceBusFunction } from './service-bus/service-bus-function.ts';
import type { ScheduleStore } from './timers/schedule-status.ts';
import { createTimerFunction } from './timers/timer-function.ts';

export interface TriggersOptions {
  registered: readonly RpcFunctionMetadata[];
  settings: Settings;
  hostJson: HostJson;
  serviceBusCredential: TokenCredential | undefined;
  scheduleStore: ScheduleStore;
  invoker: Invoker;
  now: () => Date;
  log: LogSink;
}

export interface Triggers extends Pick<FunctionIndex, 'routes' | 'served'> {
  /** @param listening.timers whether timers run by their schedules too, not only when they are asked to */
  start(listening: { timers: boolean }): void;
  /** Runs a timer beside its schedule. @returns false when there is none of this name, whatever its case */
  runTimer: (name: string) => boolean;
  /** Fires nothing more; resolves when the messages that were taken are settled. */
  stop(): Promise<void>;
  /** Ends the connections. */
  close(): Promise<void>;
}

/** Everything that can start one of the app's functions, requests being the server's business. */
export function createTriggers(options: TriggersOptions): Triggers {
  const { registered, settings, hostJson, serviceBusCredential, scheduleStore: store, invoker, now, log } = options;
  const clients = new Map<string, ServiceBusClient>();
  const connectOnce = (name: string): ServiceBusClient => {
    const client = clients.get(name) ?? connect(name, settings, serviceBusCredential);
    clients.set(name, client);
    return client;
  };

  const { routes, served, timers, serviceBus, errors } = indexFunctions({
    registered,
    settings,
    routePrefix: hostJson.http.routePrefix,
    createTimer: (metadata, bindingName, binding) =>
      createTimerFunction({ metadata, bindingName, binding, settings, invoker, store, now, random: Math.random }),
    createServiceBus: ({ name }, bindingName, binding) =>
      createServiceBusFunction({
        name,
        bindingName,
        binding,
        settings,
        hostSettings: hostJson.serviceBus,
        connect: connectOnce,
        invoker,
        log,
      }),
  });
  for (const message of errors) log({ category: 'Host.Startup', level: 'error', message });

  return {
    routes,
    served,
    start(listening) {
      for (const listener of serviceBus) listener.start();
      if (listening.timers) for (const timer of timers.values()) timer.start();
    },
    runTimer(name) {
      const found = [...timers].find(([one]) => one.toLowerCase() === name.toLowerCase());
      found?.[1].runNow();
      return found !== undefined;
    },
    async stop() {
      for (const timer of timers.values()) timer.stop();
      await Promise.all(serviceBus.map((listener) => listener.stop()));
    },
    async close() {
      await Promise.all([...clients.values()].map(disconnect));
    },
  };
}
