import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificates } from '../certificates.ts';
import { installLoopbackNames } from '../loopback-names.ts';
import { startTables } from '../tables.ts';
import { openDataDirectory } from './data-directory.ts';
import type { ServicesOptions, StandIns } from './service-options.ts';

export interface Services extends StandIns {
  /** Endpoint of the storage account's tables. */
  tables: string;
  /** With a data directory, after everything was written. */
  stop(): Promise<void>;
}

/**
 * Starts Azure's services on loopback. From then on this process trusts their certificates, and knows their names until
 * they stop.
 * @throws if a port is taken; nothing is left running then
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  await using stack = new AsyncDisposableStack();
  stack.defer(installLoopbackNames(options.loopbackNames));
  const data = options.dataDirectory === undefined ? undefined : await openDataDirectory(options.dataDirectory);
  const directory = data?.path ?? (await mkdtemp(join(tmpdir(), 'keyfleet-')));
  if (!data) stack.defer(() => rm(directory, { recursive: true, force: true }));

  const dnsNames = options.certificateNames;
  const certificatesMade = data ? data.certificates(dnsNames) : createCertificates({ dnsNames });
  // The table server takes longest: it starts first, the others are loaded and started meanwhile.
  const tablesStart = startTables({ tls: certificatesMade, directory: data?.path, port: options.ports?.tables });
  const tablesSettled = Promise.allSettled([tablesStart]);
  stack.defer(async () => {
    const [start] = await tablesSettled;
    if (start.status === 'fulfilled') await start.value.stop();
  });
  const { startStandIns } = await import('./stand-ins.ts');
  const certificates = await certificatesMade;
  const standIns = await startStandIns({ ...options, certificates, directory, data, stack });
  await options.prepare?.(standIns);
  const { url: tables } = await tablesStart;

  const running = stack.move();
  return { ...standIns, tables, stop: () => running.disposeAsync() };
}
