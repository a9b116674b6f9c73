import type { TokenCredential } from '@azure/identity';
import type { ServiceBusClient } from '@azure/service-bus';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { readHostJson } from './configuration/host-json.ts';
import { readSetting } from './configuration/settings.ts';
import { indexFunctions } from './function-index.ts';
import { createDispatcher } from './http/dispatcher.ts';
import { createHostEndpoints } from './http/host-endpoints.ts';
import { createKeyCheck } from './http/keys.ts';
import { startHttpFront } from './http/server.ts';
import { createThrottle } from './http/throttle.ts';
import { createInvoker } from './invoker.ts';
import { filterLog, type LogSink } from './logs.ts';
import { connect } from './service-bus/connection.ts';
import { createServiceBusFunction } from './service-bus/service-bus-function.ts';
import type { ScheduleStatus, ScheduleStore } from './timers/schedule-status.ts';
import { createTimerFunction } from './timers/timer-function.ts';
import { nodeArguments, workerEnvironment } from './worker-environment.ts';
import { startWorkerProcess } from './worker-process.ts';
import { createWorkerSupervisor } from './worker-supervisor.ts';

export interface FunctionsHostOptions {
  /** The app's root, where package.json (`main` names the entry files) and host.json are. */
  directory: string;
  /** App settings: the worker's whole environment besides PATH and HOME. */
  settings: Readonly<Record<string, string>>;
  /** On loopback; 0: any free one. */
  port: number;
  /** Modules (absolute paths or URLs) that the worker imports before the app. */
  preload?: readonly string[];
  /** For triggers whose connection is a namespace. */
  serviceBusCredential?: TokenCredential;
  log?: LogSink;
  /** Opens the admin endpoints and every function. Absent: nothing does. */
  masterKey?: string;
  /** Opens every function of level `function`. */
  hostKey?: string;
  /** Keys of single functions, by name. */
  functionKeys?: Readonly<Record<string, string>>;
  /** Timers' statuses. Give an earlier host's to have what was missed since made up for. */
  scheduleStore?: ScheduleStore;
  now?: () => Date;
}

export interface FunctionsHost {
  readonly url: string;
  readonly port: number;
  /** What the host serves; `trigger` is the binding's type, e.g. `httpTrigger`. */
  readonly functions: readonly { name: string; trigger: string }[];
  /** Changes when a worker is restarted; 0 while there is none. */
  readonly workerPid: number;
  /** Refuses new work at once, lets running work finish, runs the app's `appTerminate` hooks. */
  stop(): Promise<void>;
}

const hostVersion = '4.1037.0.0';
const defaultBodyLimitBytes = 100 * 1024 * 1024;
/** How long work that is running may take to finish when the host stops. */
const drainMilliseconds = 30_000;

/**
 * Runs a Functions app on loopback as the Azure Functions host was observed to.
 * @throws Error when host.json can't be read, the app's `appStart` hook rejects or its worker crashes too often
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const { settings, preload = [], serviceBusCredential, now = () => new Date() } = options;
  const directory = path.resolve(options.directory);
  const hostJson = await readHostJson(directory);
  const log = filterLog(options.log ?? (() => undefined), hostJson.logLevels);

  const supervisor = createWorkerSupervisor({
    now,
    log,
    startProcess: () =>
      startWorkerProcess({
        directory,
        environment: workerEnvironment(settings, directory),
        nodeArguments: nodeArguments(settings),
        preload: preload.map((module) => (path.isAbsolute(module) ? pathToFileURL(module).href : module)),
        hostVersion,
        log,
      }),
  });
  const registered = await supervisor.start();
  const invoker = createInvoker({
    send: supervisor.invoke,
    timeoutMilliseconds: hostJson.functionTimeoutMilliseconds,
    onTimeout: supervisor.replace,
    log,
  });

  const clients = new Map<string, ServiceBusClient>();
  const connectOnce = (name: string): ServiceBusClient => {
    const client = clients.get(name) ?? connect(name, settings, serviceBusCredential);
    clients.set(name, client);
    return client;
  };
  const store = options.scheduleStore ?? new Map<string, ScheduleStatus>();
  const index = indexFunctions({
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
  for (const message of index.errors) log({ category: 'Host.Startup', level: 'error', message });

  const keys = createKeyCheck({ master: options.masterKey, host: options.hostKey, functions: options.functionKeys });
  const timersByLowerName = new Map([...index.timers].map(([name, timer]) => [name.toLowerCase(), timer]));
  const front = await startHttpFront(options.port, {
    now,
    bodyLimitBytes: Number(readSetting(settings, 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT') ?? defaultBodyLimitBytes),
    handle: createDispatcher({
      routes: index.routes,
      keys,
      invoker,
      throttle: createThrottle(hostJson.http),
      customHeaders: hostJson.http.customHeaders,
      hasHomepage: readSetting(settings, 'AzureWebJobsDisableHomepage')?.toLowerCase() !== 'true',
      hostEndpoints: createHostEndpoints({
        keys,
        functions: index.served,
        hostVersion,
        runFunction(name) {
          const timer = timersByLowerName.get(name);
          timer?.runNow();
          return timer !== undefined;
        },
      }),
    }),
  });
  for (const timer of index.timers.values()) timer.start();
  for (const listener of index.serviceBus) listener.start();

  async function finish(): Promise<void> {
    const finished = Promise.all([front.finish(), ...index.serviceBus.map((listener) => listener.stop())]);
    for (const timer of index.timers.values()) timer.stop();
    const grace = new AbortController();
    const drained = Promise.all([finished, invoker.idle()]);
    await Promise.race([drained, sleep(drainMilliseconds, undefined, { signal: grace.signal })]);
    grace.abort();
    await supervisor.stop();
    front.close();
    await Promise.all([...clients.values()].map((client) => client.close()));
  }
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= finish());
  const reportFailure = (error: unknown): void =>
    log({ category: 'Host.General', level: 'error', message: `Stopping the host failed: ${String(error)}` });
  supervisor.givenUp
    .then((reason) => {
      log({ category: 'Host.General', level: 'critical', message: `The host stops: ${reason}` });
      return stop();
    })
    .catch(reportFailure);

  return {
    url: `http://127.0.0.1:${front.port}`,
    port: front.port,
    functions: index.served,
    get workerPid() {
      return supervisor.processId();
    },
    stop,
  };
}
