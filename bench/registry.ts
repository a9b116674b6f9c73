import { authentication } from './authentication/index.ts';
import type { Benchmark } from './harness/benchmark.ts';
import { idleReconcile } from './idle-reconcile/index.ts';
import { keyGeneration } from './key-generation/index.ts';
import { keyVaultCalls } from './key-vault-calls/index.ts';
import { keyPool } from './key-pool/index.ts';
import { keyValue } from './kv/index.ts';
import { reconcileGrowth } from './reconcile-growth/index.ts';
import { recovery } from './recovery/index.ts';
import { readLatency } from './read-latency/index.ts';
import { standInScale } from './stand-in-scale/index.ts';
import { standInThroughput } from './stand-in-throughput/index.ts';
import { fairness, throttle } from './throttle/index.ts';
import { startUp } from './start-up/index.ts';
import { wave } from './wave/index.ts';

/** All benchmarks, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  keyVaultCalls,
  idleReconcile,
  throttle,
  fairness,
  readLatency,
  keyValue,
  authentication,
  startUp,
  keyGeneration,
  keyPool,
  standInScale,
  standInThroughput,
  wave,
  recovery,
  reconcileGrowth,
];
