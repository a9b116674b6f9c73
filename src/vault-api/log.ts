import { KeyfleetError } from '../errors.ts';

/** What operators are told of a request that failed on our side. Never holds a secret. */
export interface LogEntry {
  level: 'warning' | 'error';
  message: string;
  requestId: string;
  method: string;
  status: number;
  /** The error and its causes, outermost first. */
  errors: readonly ErrorSummary[];
}

export interface ErrorSummary {
  name: string;
  /** Only of a KeyfleetError: foreign messages may quote what the caller sent. */
  message?: string;
  code?: string;
  stack: readonly string[];
}

export type Log = (entry: LogEntry) => void;

const maximumCauses = 5;

export function summariseError(error: unknown): ErrorSummary[] {
  const summaries: ErrorSummary[] = [];
  for (let cause = error; cause != null && summaries.length < maximumCauses; cause = causeOf(cause)) {
    summaries.push(summariseOne(cause));
  }
  return summaries;
}

function summariseOne(error: unknown): ErrorSummary {
  if (!(error instanceof Error)) return { name: `thrown ${typeof error}`, stack: [] };
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    name: error.name,
    ...(error instanceof KeyfleetError ? { message: error.message } : {}),
    // Error codes are words; anything longer is text that may quote something.
    ...(typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? { code } : {}),
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .map((line) => line.trim()),
  };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
