import { fileURLToPath } from 'node:url';
import { readSetting, type Settings } from './configuration/settings.ts';

/** The worker's whole environment: the app settings, and what any process needs to find its way. */
export function workerEnvironment(settings: Settings, directory: string): Record<string, string> {
  const inherited = Object.fromEntries(
    ['PATH', 'HOME'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return {
    ...inherited,
    ...settings,
    FUNCTIONS_WORKER_DIRECTORY: fileURLToPath(new URL('worker', import.meta.url)),
    FUNCTIONS_APPLICATION_DIRECTORY: directory,
  };
}

/** Arguments for the worker's Node from the setting that the Functions host reads them from. */
export function nodeArguments(settings: Settings): string[] {
  return (readSetting(settings, 'languageWorkers__node__arguments') ?? '').split(/\s+/).filter(Boolean);
}
