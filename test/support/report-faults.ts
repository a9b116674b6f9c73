import { afterEach, beforeEach } from 'vitest';
import type { Faults, TakenFault } from '../../src/local/faults.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** A line for each fault that the test suffered. */
    faults?: string[];
  }
}

/**
 * Writes every fault that a test of this file (or block) suffered to that test's report: to its `meta`, which the JSON
 * reporter shows, and with a failure to its output.
 */
export function reportFaults(faults: () => Faults): void {
  let before = 0;
  beforeEach(() => void (before = faults().log.length));
  afterEach(({ task }) => {
    const lines = faults().log.slice(before).map(describeFault);
    task.meta.faults = lines;
    if (task.result?.state === 'fail' && lines.length > 0) console.error(`faults:\n  ${lines.join('\n  ')}`);
  });
}

function describeFault({ service, operation, name, fault: { kind, ...details } }: TakenFault): string {
  const more = Object.keys(details).length === 0 ? '' : ` ${JSON.stringify(details)}`;
  return `${service} ${operation} ${name === '' ? '(all)' : name}: ${kind}${more}`;
}
