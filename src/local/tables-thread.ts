import { once } from 'node:events';
import { createRequire, registerHooks } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import { parentPort } from 'node:worker_threads';
import { indexRanges, type TableStore } from './table-ranges.ts';
import type { TablesReply, TablesRequest, TablesSettings } from './tables.ts';

/** What is used of Azurite's table server. These are its insides, not an interface: its version is pinned exactly. */
interface TableServer {
  start(): Promise<void>;
  close(): Promise<void>;
  getHttpServerAddress(): string;
  metadataStore: TableStore & { db: { saveDatabase(done: (error?: Error | null) => void): void } };
}
interface TableConfiguration {
  getCert: () => { cert: string; key: string };
}

const telemetry = 'keyfleet:no-telemetry';

// Telemetry is never started here, and its package is three quarters of what there is to load.
registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'applicationinsights'
      ? { url: telemetry, format: 'commonjs', shortCircuit: true }
      : nextResolve(specifier, context),
  load: (url, context, nextLoad) =>
    url === telemetry ? { format: 'commonjs', source: '', shortCircuit: true } : nextLoad(url, context),
});
process.noDeprecation = true;

const port = parentPort as MessagePort;
const settled = once(port, 'message') as Promise<[TablesSettings]>;
const load = createRequire(import.meta.url);
const { default: Configuration } = load('azurite/dist/src/table/TableConfiguration') as {
  default: new (...settings: unknown[]) => TableConfiguration;
};
const { default: Server } = load('azurite/dist/src/table/TableServer') as {
  default: new (configuration: TableConfiguration) => TableServer;
};

const [settings] = await settled;
const server = new Server(configure(settings));
indexRanges(server.metadataStore);
try {
  await server.start();
  port.on('message', (request: TablesRequest) => {
    perform(request)
      .then(() => reply({ done: request }))
      .catch((error: unknown) => reply({ failure: String(error) }));
  });
  reply({ port: Number(new URL(server.getHttpServerAddress()).port) });
} catch (error) {
  reply({ failure: error instanceof Error ? error.message : String(error) });
}

async function perform(request: TablesRequest): Promise<void> {
  if (request === 'stop') return server.close();
  if (settings.databaseFile === undefined) return;
  await new Promise<void>((resolve, reject) => {
    server.metadataStore.db.saveDatabase((error) => (error ? reject(error) : resolve()));
  });
}

function reply(message: TablesReply): void {
  port.postMessage(message);
}

function configure({ certificate, privateKey, port, databaseFile }: TablesSettings): TableConfiguration {
  const configuration = new Configuration(
    '127.0.0.1',
    port,
    undefined, // keep-alive timeout: its default
    databaseFile ?? '',
    false, // debug log
    false, // access log
    undefined, // access log stream
    undefined, // debug log file
    false, // loose
    true, // accept any API version
    'certificate in memory',
    'key in memory',
    '', // password
    'basic', // tokens
    true, // account in the path, not in the host name
    databaseFile === undefined,
  );
  configuration.getCert = () => ({ cert: certificate, key: privateKey });
  return configuration;
}
