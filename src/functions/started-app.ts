import { createApp, type App } from '../app.ts';
import { isKeyfleetError } from '../errors.ts';
import { logEntry, logError } from './log.ts';

/**
 * The app, or why there is none. Loading must never throw: a host whose app failed to load answers 404 to everything,
 * and to a Vault client that means that the secret doesn't exist.
 */
export type StartedApp = { app: App } | { app?: undefined; reason: string };

export function startApp(environment: Record<string, string | undefined>): StartedApp {
  try {
    return { app: createApp(environment, { log: logEntry, report: logError }) };
  } catch (error) {
    const reason = isKeyfleetError(error) ? error.message : 'Keyfleet could not start: its log says why';
    logError(reason, error);
    return { reason };
  }
}
