/**
 * Measures name look-ups while keys are made in the same process.
 * Called with the mode; the size of the thread pool comes from UV_THREADPOOL_SIZE.
 */
import { generateKeyPair } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createKeyPairGenerator } from '../../src/keymgmt/key-generation.ts';
import { keyCount, type Measurement, type Mode } from './measurement.ts';

const betweenLookupsMilliseconds = 10;
const shortestMilliseconds = 2_000;

const { lookupMilliseconds, generationMilliseconds } = await measure(process.argv[2] as Mode);
process.stdout.write(JSON.stringify({ lookupMilliseconds, generationMilliseconds } satisfies Measurement));

async function measure(mode: Mode): Promise<Measurement> {
  const startTime = performance.now();
  let generationMilliseconds = 0;
  let busy = true;
  const keys = generateAll(mode).then(() => {
    busy = false;
    if (mode !== 'idle') generationMilliseconds = performance.now() - startTime;
  });
  // Asked for at fixed times: waiting for one before asking for the next would leave out those that had to wait.
  const lookups: Promise<number>[] = [];
  while (busy || performance.now() - startTime < shortestMilliseconds) {
    lookups.push(timeLookup());
    await sleep(betweenLookupsMilliseconds);
  }
  await keys;
  return { lookupMilliseconds: await Promise.all(lookups), generationMilliseconds };
}

async function timeLookup(): Promise<number> {
  const startTime = performance.now();
  await lookup('localhost');
  return performance.now() - startTime;
}

async function generateAll(mode: Mode): Promise<void> {
  const generate = generatorOf(mode);
  if (generate !== undefined) await Promise.all(Array.from({ length: keyCount }, generate));
}

function generatorOf(mode: Mode): (() => Promise<unknown>) | undefined {
  switch (mode) {
    case 'idle':
      return undefined;
    case 'generator': {
      const { generate } = createKeyPairGenerator({ threadPoolSize: Number(process.env.UV_THREADPOOL_SIZE) });
      return () => generate('rsa-4096', { owner: 'bench' });
    }
    case 'unbounded': {
      const generate = promisify(generateKeyPair);
      return () =>
        generate('rsa', {
          modulusLength: 4096,
          publicKeyEncoding: { type: 'spki', format: 'der' },
          privateKeyEncoding: { type: 'pkcs8', format: 'der' },
        });
    }
  }
}
