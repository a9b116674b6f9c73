/** Fills a pool of as many RSA-2048 pairs as are asked for, once, and tells how long that took. */
import { makeRsaKeyPair } from '../../src/keymgmt/rsa-key-pair.ts';
import { startPlatform } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { fillKeyPool } from '../harness/key-pool.ts';

const count = Number(process.argv[2]);
const betweenReports = 500;

const platform = await startPlatform({ seed: seedRootToken });
try {
  const startTime = performance.now();
  const startUsage = process.cpuUsage();
  const report = (pairs: number) => {
    const seconds = (performance.now() - startTime) / 1000;
    const { user, system } = process.cpuUsage(startUsage);
    const rate = `${(pairs / seconds).toFixed(1)} per second`;
    const work = `${((user + system) / 1000 / pairs).toFixed(0)} ms of a core each, tables included`;
    process.stdout.write(`${pairs} pairs in ${seconds.toFixed(0)} s: ${rate}; ${work}\n`);
  };
  let made = 0;
  await fillKeyPool(platform, { 'rsa-2048': count }, async (type) => {
    const pair = await makeRsaKeyPair(type);
    if (++made % betweenReports === 0 && made < count) report(made);
    return pair;
  });
  report(count);
} finally {
  await platform.stop();
}
