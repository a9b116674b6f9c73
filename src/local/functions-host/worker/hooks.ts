/** The hooks that `@azure/functions` may register. */
export const hookNames = ['preInvocation', 'postInvocation', 'appStart', 'appTerminate', 'log'] as const;
export type HookName = (typeof hookNames)[number];
export type HookCallback = (context: object) => unknown;

export interface Hooks {
  /** @returns a function that takes the hook away again. */
  register(name: string, callback: HookCallback): () => void;
  /** Runs the hooks one after another in the order of registration; the first that throws ends the row. */
  run(name: HookName, context: object): Promise<void>;
  /** Log hooks are synchronous: they may change a line before it leaves. */
  runSynchronously(name: HookName, context: object): void;
}

/** @throws RangeError for a hook that no worker knows, which `@azure/functions` turns into a message about versions. */
export function createHooks(): Hooks {
  const callbacks = new Map<string, HookCallback[]>(hookNames.map((name) => [name, []]));
  const of = (name: string): HookCallback[] => {
    const row = callbacks.get(name);
    if (row) return row;
    throw Object.assign(new RangeError(`Unrecognized hook "${name}"`), { isAzureFunctionsSystemError: true });
  };
  return {
    register(name, callback) {
      const row = of(name);
      row.push(callback);
      return () => {
        const index = row.indexOf(callback);
        if (index >= 0) row.splice(index, 1);
      };
    },
    async run(name, context) {
      for (const callback of of(name)) await callback(context);
    },
    runSynchronously(name, context) {
      for (const callback of of(name)) callback(context);
    },
  };
}

/** A hook context whose named members may be read and changed from within, but not replaced. */
export function withReadOnly<Mutable extends object>(mutable: Mutable, readOnly: Record<string, unknown>): Mutable {
  for (const [name, value] of Object.entries(readOnly)) {
    Object.defineProperty(mutable, name, {
      enumerable: true,
      get: () => value,
      set() {
        throw new TypeError(`Cannot assign to read only property '${name}'`);
      },
    });
  }
  return mutable;
}
