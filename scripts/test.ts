import { spawn } from 'node:child_process';
import process from 'node:process';

/*
 * `npm test`: builds, then runs the static checks, one after the other, beside the tests: these wait often enough to
 * leave room for them. What a check says is shown when it fails. Arguments go to vitest.
 */

interface Outcome {
  exitCode: number;
  output: string;
}

const checks = ['check:types', 'check:lint', 'check:rooms', 'check:format'];

/** @param inherits whether what it says is shown at once, rather than returned */
function run(command: string, commandLine: readonly string[], { inherits }: { inherits: boolean }): Promise<Outcome> {
  const stdio = inherits ? 'inherit' : 'pipe';
  const child = spawn(command, commandLine, { stdio: ['ignore', stdio, stdio], shell: process.platform === 'win32' });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? 1, output }));
  });
}

async function check(): Promise<boolean> {
  let failed = false;
  for (const name of checks) {
    const { exitCode, output } = await run('npm', ['run', '--silent', name], { inherits: false });
    if (exitCode === 0) continue;
    failed = true;
    console.error(`\n${name} failed:\n${output}`);
  }
  return !failed;
}

const { exitCode: buildExitCode } = await run('npm', ['run', '--silent', 'build'], { inherits: true });
if (buildExitCode !== 0) process.exit(buildExitCode);

const [isClean, tests] = await Promise.all([
  check(),
  run('vitest', ['run', ...process.argv.slice(2)], { inherits: true }),
]);
console.log(isClean ? 'Types, lint, rooms and formatting are in order.' : 'A check failed: see above.');
process.exitCode = isClean ? tests.exitCode : 1;
