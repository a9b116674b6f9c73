import { summariseError, type LogEntry } from '../vault-api/log.ts';

/** One JSON object a line; what goes in has been cleared of secrets. */
export function logEntry(entry: LogEntry): void {
  write(entry.level, entry);
}

/** @param message fixed text; only names, codes and stacks of the error are written */
export function logError(message: string, error: unknown): void {
  write('error', { message, errors: summariseError(error) });
}

function write(level: LogEntry['level'], fields: object): void {
  const line = JSON.stringify(fields);
  // The host takes a function's console as its log.
  // eslint-disable-next-line no-console
  if (level === 'error') console.error(line);
  // eslint-disable-next-line no-console
  else console.warn(line);
}
