import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { LogLevels } from '../logs.ts';
import { parseTimeSpan } from './time-span.ts';

/** What this host honours of an app's host.json, with the Functions host's defaults. Durations in milliseconds. */
export interface HostJson {
  /** Infinity: no limit. */
  functionTimeoutMilliseconds: number;
  logLevels: LogLevels;
  http: HttpSettings;
  serviceBus: ServiceBusSettings;
}

export interface HttpSettings {
  routePrefix: string;
  /** Infinity: no limit. */
  maxConcurrentRequests: number;
  /** Running and waiting together. Infinity: no limit. */
  maxOutstandingRequests: number;
  customHeaders: Readonly<Record<string, string>>;
}

export interface ServiceBusSettings {
  autoCompleteMessages: boolean;
  maxConcurrentCalls: number;
  maxConcurrentSessions: number;
  maxAutoLockRenewalMilliseconds: number;
  sessionIdleTimeoutMilliseconds: number;
}

const timeSpan = z.string().transform((text, context) => {
  const milliseconds = parseTimeSpan(text);
  if (milliseconds !== undefined) return milliseconds;
  context.addIssue({ code: 'custom', message: `"${text}" is not a TimeSpan` });
  return z.NEVER;
});

const limit = z.int().transform((value) => (value < 0 ? Infinity : value));

const schema = z.object({
  functionTimeout: z.union([z.literal('-1').transform(() => Infinity), timeSpan]).default(30 * 60_000),
  logging: z.object({ logLevel: z.record(z.string(), z.string()).default({}) }).prefault({}),
  extensions: z
    .object({
      http: z
        .object({
          routePrefix: z.string().default('api'),
          maxConcurrentRequests: limit.default(Infinity),
          maxOutstandingRequests: limit.default(Infinity),
          customHeaders: z.record(z.string(), z.string()).default({}),
        })
        .prefault({}),
      serviceBus: z
        .object({
          autoCompleteMessages: z.boolean().default(true),
          maxConcurrentCalls: z.int().positive().default(16),
          maxConcurrentSessions: z.int().positive().default(8),
          maxAutoLockRenewalDuration: timeSpan.default(5 * 60_000),
          sessionIdleTimeout: timeSpan.default(60_000),
        })
        .prefault({}),
    })
    .prefault({}),
});

/**
 * Reads host.json in the app's root.
 * @throws when it is absent or says something that the Functions host would refuse
 */
export async function readHostJson(directory: string): Promise<HostJson> {
  const { functionTimeout, logging, extensions } = schema.parse(
    JSON.parse(await readFile(path.join(directory, 'host.json'), 'utf8')),
  );
  const { http, serviceBus } = extensions;
  return {
    functionTimeoutMilliseconds: functionTimeout,
    logLevels: logging.logLevel,
    http: { ...http, routePrefix: http.routePrefix.replace(/^\/+|\/+$/g, '') },
    serviceBus: {
      autoCompleteMessages: serviceBus.autoCompleteMessages,
      maxConcurrentCalls: serviceBus.maxConcurrentCalls,
      maxConcurrentSessions: serviceBus.maxConcurrentSessions,
      maxAutoLockRenewalMilliseconds: serviceBus.maxAutoLockRenewalDuration,
      sessionIdleTimeoutMilliseconds: serviceBus.sessionIdleTimeout,
    },
  };
}
