import type { TokenCredential } from '@azure/identity';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type HostJson, readHostJson } from './configuration/host-json.ts';
import { readSetting } from './configuration/settings.ts';
import { createDispatcher } from './http/dispatcher.ts';
import { createHostEndpoints } from './http/host-endpoints.ts';
import { createKeyCheck } from './http/keys.ts';
import { type HttpFront, startHttpFront } from './http/server.ts';
import { createThrottle } from './http/throttle.ts';
import { createInvoker, type Invoker } from './invoker.ts';
import { filterLog, type LogSink } from './logs.ts';
import type { ScheduleStatus, ScheduleStore } from './timers/schedule-status.ts';
import { createTriggers, type Triggers } from './triggers.ts';
import { nodeArguments, workerEnvironment } from './worker-environment.ts';
import { startWorkerProcess } from './worker-process.ts';
import { createWorkerSupervisor, type WorkerSupervisor } from './worker-supervisor.ts';

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
  /** False: another instance holds the lock of the timers, and here they run only when an administrator asks. */
  timersBySchedule?: boolean;
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
 * @throws Error when host.json can't be read, the port is taken, the app's `appStart` hook rejects, it wants HTTP
 *   streaming, or its worker crashes too often
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const { settings, now = () => new Date() } = options;
  const directory = path.resolve(options.directory);
  const hostJson = await readHostJson(directory);
  const log = filterLog(options.log ?? (() => undefined), hostJson.logLevels);

  const supervisor = startSupervisor(options, { directory, log, now });
  const registered = await supervisor.start();
  const invoker = createInvoker({
    send: supervisor.invoke,
    timeoutMilliseconds: hostJson.functionTimeoutMilliseconds,
    onTimeout: supervisor.replace,
    log,
  });
  const triggers = createTriggers({
    registered,
    settings,
    hostJson,
    serviceBusCredential: options.serviceBusCredential,
    scheduleStore: options.scheduleStore ?? new Map<string, ScheduleStatus>(),
    invoker,
    now,
    log,
  });
  const front = await startFront(options, { hostJson, triggers, invoker, now }).catch(async (error: unknown) => {
    await supervisor.stop();
    throw error;
  });
  triggers.start({ timers: options.timersBySchedule ?? true });

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopAll({ front, triggers, invoker, supervisor }));
  supervisor.givenUp
    .then((reason) => {
      log({ category: 'Host.General', level: 'critical', message: `The host stops: ${reason}` });
      return stop();
    })
    .catch((error: unknown) =>
      log({ category: 'Host.General', level: 'error', message: `Stopping the host failed: ${String(error)}` }),
    );

  return {
    url: `http://127.0.0.1:${front.port}`,
    port: front.port,
    functions: triggers.served,
    get workerPid() {
      return supervisor.processId();
    },
    stop,
  };
}

function startSupervisor(
  { settings, preload = [] }: FunctionsHostOptions,
  { directory, log, now }: { directory: string; log: LogSink; now: () => Date },
): WorkerSupervisor {
  return createWorkerSupervisor({
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
}

function startFront(
  options: FunctionsHostOptions,
  parts: { hostJson: HostJson; triggers: Triggers; invoker: Invoker; now: () => Date },
): Promise<HttpFront> {
  const { settings, masterKey: master, hostKey: host, functionKeys } = options;
  const { hostJson, triggers, invoker, now } = parts;
  const keys = createKeyCheck({ master, host, functions: functionKeys });
  return startHttpFront(options.port, {
    now,
    bodyLimitBytes: Number(readSetting(settings, 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT') ?? defaultBodyLimitBytes),
    handle: createDispatcher({
      routes: triggers.routes,
      keys,
      invoker,
      throttle: createThrottle(hostJson.http),
      customHeaders: hostJson.http.customHeaders,
      hasHomepage: readSetting(settings, 'AzureWebJobsDisableHomepage')?.toLowerCase() !== 'true',
      hostEndpoints: createHostEndpoints({
        keys,
        functions: triggers.served,
        hostVersion,
        runFunction: triggers.runTimer,
      }),
    }),
  });
}

/** Nothing new from here on; what runs may finish; then the app's own end. */
async function stopAll(parts: {
  front: HttpFront;
  triggers: Triggers;
  invoker: Invoker;
  supervisor: WorkerSupervisor;
}): Promise<void> {
  const { front, triggers, invoker, supervisor } = parts;
  const grace = new AbortController();
  const finished = Promise.all([front.finish(), triggers.stop(), invoker.idle()]);
  await Promise.race([finished, sleep(drainMilliseconds, undefined, { signal: grace.signal })]);
  grace.abort();
  await supervisor.stop();
  front.close();
  await triggers.close();
}
