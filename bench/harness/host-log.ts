import type { LogSink } from '../../src/local/functions-host/index.ts';

/** Of a host's log only what explains a failed benchmark. */
export const printErrors: LogSink = ({ category, level, message }) => {
  if (level === 'error' || level === 'critical') console.error(`  ${category}: ${message}`);
};
