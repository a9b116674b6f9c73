import { globSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './vitest.sequencer.ts';

/** All in memory, and nothing of it stays behind in the process: these files share one, and load what they import once. */
const inMemory = globSync(['test/settings.test.ts', 'test/{infra,keymgmt,kv,reconcile,state,vault-api}/**/*.test.ts'], {
  cwd: import.meta.dirname,
  exclude: [
    // Large.
    'test/**/*histories.test.ts',
    // Replaces a module.
    'test/keymgmt/instances.test.ts',
    // Over Table Storage, and more.
    'test/**/real-*.test.ts',
    'test/keymgmt/worlds-contract.test.ts',
    'test/kv/{cost,interleavings,races,store}.test.ts',
    'test/state/{key-pairs,table-contract}.test.ts',
  ],
});

export default defineConfig({
  test: {
    pool: 'forks',
    // One more than cores are asked for: much of the time a file waits for a host or a queue.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
    projects: [
      { extends: true, test: { name: 'in-memory', isolate: false, include: inMemory } },
      // The managed identity client, for one, reads its endpoint once per process.
      { extends: true, test: { name: 'apart', isolate: true, include: ['test/**/*.test.ts'], exclude: inMemory } },
    ],
  },
});
