import { build } from 'esbuild';

/**
 * One ESM file is what Azure runs: it starts about twice as fast as the unbundled packages.
 * `@azure/functions-core` exists only inside the Functions worker, which provides it at load time.
 */
await build({
  entryPoints: ['src/functions/index.ts'],
  outfile: 'dist/index.js',
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  external: ['@azure/functions-core'],
  // Bundled CommonJS packages call require(), which an ES module doesn't have.
  banner: {
    js: "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);",
  },
  sourcemap: true,
  logLevel: 'warning',
});
