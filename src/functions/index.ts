import { app } from '@azure/functions';
import { startApp } from './started-app.ts';
import { createVaultHandler } from './http/vault.ts';
import { createDistributionHandler } from './queues/distribution.ts';
import { createKeyPoolHandler } from './timers/key-pool.ts';
import { createReconcileHandler } from './timers/reconcile.ts';
import { logError } from './log.ts';
import { distributionQueue } from '../messaging/index.ts';

// Without a listener one forgotten rejection, of a library too, ends the worker and every request in flight.
process.on('unhandledRejection', (reason) => logError('a promise was rejected and nobody looked', reason));

const started = startApp(process.env);

/*
 * One function answers every path: Vault's mounts are made at run time, so no route can name them, and the host would
 * choose among several routes by the functions' names.
 */
app.http('vault', {
  route: '{*path}',
  // The type doesn't know Vault's LIST; the host routes any verb that is declared and answers others with an empty 404.
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', ...(['LIST', 'HELP', 'SCAN'] as never[])],
  authLevel: 'anonymous',
  handler: createVaultHandler(started),
});

app.serviceBusQueue('distribution', {
  queueName: distributionQueue,
  connection: 'ServiceBus',
  isSessionsEnabled: true,
  handler: createDistributionHandler(started),
});

app.timer('reconcile', {
  schedule: '0 * * * * *',
  handler: createReconcileHandler(started),
});

// A function of its own: it runs for minutes, which nothing else shall wait for.
app.timer('key-pool', {
  schedule: '30 */5 * * * *',
  handler: createKeyPoolHandler(started),
});
