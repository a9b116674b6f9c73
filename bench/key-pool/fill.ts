/** Fills a pool of as many RSA-2048 pairs as are asked for, once, and tells how long that took. */
import { startPlatform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { fillKeyPool } from '../harness/key-pool.ts';

const count = Number(process.argv[2]);
const platform = await startPlatform({ seed: seedRootToken });
try {
  const startTime = performance.now();
  await fillKeyPool(platform, { 'rsa-2048': count });
  const seconds = (performance.now() - startTime) / 1000;
  process.stdout.write(`${count} pairs in ${seconds.toFixed(0)} s: ${(count / seconds).toFixed(1)} per second\n`);
} finally {
  await platform.stop();
}
