/** Loads an app as the Functions worker does, and does nothing with it. Called with the app's entry file. */
import { pathToFileURL } from 'node:url';
import { provideCoreModule } from '../../src/local/functions-host/worker/core-module.ts';
import { createHooks } from '../../src/local/functions-host/worker/hooks.ts';
import { createRegistrations } from '../../src/local/functions-host/worker/registrations.ts';

const registrations = createRegistrations();
provideCoreModule({ hooks: createHooks(), registrations, hostVersion: '4.0.0', log: () => undefined });
await import(pathToFileURL(process.argv[2] ?? '').href);
if (registrations.functions.size === 0) throw new Error('the app has registered no function');
