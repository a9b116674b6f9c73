import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('leaves nothing behind that keeps the process alive when it stops', async () => {
  const script = fileURLToPath(new URL('stopping.ts', import.meta.url));
  // Killed after a while: that rejects.
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 15_000 });
  expect(stdout).toBe('stopped\n');
});
