import type { LogLine } from './functions-host/index.ts';

/** The command line makes no sense. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Resolves once the process is told to end. */
export function stopAsked(): Promise<void> {
  const asked = Promise.withResolvers<void>();
  // A terminal sends the signal to npm too, which passes it on: more than one may come.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.resolve());
  return asked.promise;
}

/** Each invocation would be two lines: only what the app says itself and what went wrong is shown. */
export function printLog({ category, level, message }: LogLine): void {
  if (level === 'warning' || level === 'error' || level === 'critical')
    console.error(`${level}: ${category}: ${message}`);
  else if (category.endsWith('.User') || category.endsWith('.Console')) console.log(message);
}

/** @returns the port that an error says is taken, if it says so */
export function takenPort(error: unknown): string | undefined {
  return /EADDRINUSE.*:(\d+)/.exec(messageOf(error))?.[1];
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Says why on standard error, and gives the process its exit code: 2 for what its caller can put right. */
export function fail(message: string, exitCode: 1 | 2): void {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exitCode = exitCode;
}

const highestPort = 65_535;

/** @param portsTaken how many ports from this one on are needed. @throws UsageError */
export function parsePort(text: string, portsTaken: number): number {
  const port = Number(text);
  const highest = highestPort - portsTaken + 1;
  if (!/^\d+$/.test(text) || port > highest) {
    throw new UsageError(`--port takes a number up to ${highest}, not '${text}'`);
  }
  return port;
}
