import { fileURLToPath } from 'node:url';
import { ManagedIdentityCredential } from '@azure/identity';
import { startAppHost } from '../azure/app-host.ts';
import type { LogLine } from '../functions-host/index.ts';
import type { HostProcessMessage, HostProcessParameters } from './host-process.ts';

const { masterKey, timersBySchedule, preload } = JSON.parse(process.argv[2] ?? '{}') as HostProcessParameters;
const settings = Object.fromEntries(Object.entries(process.env)) as Record<string, string>;

// Whoever started this is gone: the worker must go too, and neither has anybody left to work for.
process.on('disconnect', giveUp);

const host = await startAppHost({
  directory: fileURLToPath(new URL('../../../', import.meta.url)),
  settings,
  port: 0,
  serviceBusCredential: new ManagedIdentityCredential({ clientId: settings['KEYFLEET_IDENTITY_CLIENT_ID'] ?? '' }),
  log: forward,
  ...(masterKey !== undefined && { masterKey }),
  ...(timersBySchedule !== undefined && { timersBySchedule }),
  ...(preload && { preload }),
});
tell({ kind: 'started', url: host.url });

process.on('message', (message) => {
  if (message === 'stop') host.stop().then(() => process.exit(0), giveUp);
});

function giveUp(): void {
  process.kill(-process.pid, 'SIGKILL');
}

function forward(line: LogLine): void {
  if (line.level === 'warning' || line.level === 'error' || line.level === 'critical') tell({ kind: 'log', line });
}

function tell(message: HostProcessMessage): void {
  process.send?.(message);
}
