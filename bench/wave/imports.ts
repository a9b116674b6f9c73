import type { KeyVaultStandIn } from '../../src/local/key-vault/index.ts';
import { heldKeyPrefix } from '../harness/held-keys.ts';

/** Imports as the vaults see them. */
export interface ImportWatch {
  /** That made a version of a key of the wave. */
  readonly imports: number;
  /** Refused with 429. */
  readonly throttled: number;
  /** Calls of any kind. */
  readonly calls: number;
  /** Of the last of them, as `performance.now()` has it. */
  readonly lastTime: number;
  stop(): void;
}

export function watchImports(keyVault: KeyVaultStandIn, isTarget: (vault: string) => boolean): ImportWatch {
  const watch = { imports: 0, throttled: 0, calls: 0, lastTime: NaN };
  const stop = keyVault.onCall(({ vault, operation, name, status }) => {
    if (!isTarget(vault)) return;
    watch.calls++;
    if (status === 429) watch.throttled++;
    if (operation !== 'import' || status !== 200 || !name.startsWith(heldKeyPrefix)) return;
    watch.imports++;
    watch.lastTime = performance.now();
  });
  return Object.assign(watch, { stop });
}
