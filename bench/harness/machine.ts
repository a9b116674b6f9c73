import { execFile } from 'node:child_process';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { promisify } from 'node:util';

/** What figures depend on besides the code, and the code itself. */
export interface Machine {
  node: string;
  openssl: string;
  system: string;
  cores: number;
  processor: string;
  memoryGiB: number;
  /** Average of the minute before the run: more than a little means that something else was running. */
  loadBefore: number;
  /** Empty outside a clone. */
  commit: string;
}

export async function describeMachine(): Promise<Machine> {
  return {
    node: process.version,
    openssl: process.versions.openssl,
    system: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? '',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    commit: await readCommit(),
  };
}

async function readCommit(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname });
    return stdout.trim();
  } catch {
    return '';
  }
}
