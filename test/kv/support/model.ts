/*
 * Vault's versioned secrets as its documentation and answers describe them, in plain maps: no tables, no transactions, no
 * concurrency, and nothing of the engine's own code. Times are milliseconds.
 */

export interface ModelVersion {
  created: number;
  /** Undefined: it has no end. */
  ends: number | undefined;
  /** Undefined: destroyed. */
  value: string | undefined;
}

export interface ModelSecret {
  created: number;
  updated: number;
  current: number;
  oldest: number;
  versions: Map<number, ModelVersion>;
  maxVersions: number;
  casRequired: boolean;
  deleteAfterSeconds: number;
  custom: Record<string, string> | null;
}

export interface ModelSettings {
  maxVersions?: number;
  casRequired?: boolean;
  deleteAfterSeconds?: number;
  custom?: Record<string, string> | null;
}

export type ModelOperation =
  | { kind: 'put' | 'patch'; path: string; data: Record<string, unknown>; cas: number | undefined }
  | { kind: 'delete'; path: string }
  | { kind: 'delete-versions' | 'undelete' | 'destroy'; path: string; versions: readonly number[] }
  | { kind: 'metadata' | 'patch-metadata'; path: string; settings: ModelSettings }
  | { kind: 'remove'; path: string }
  | { kind: 'configure'; settings: Omit<ModelSettings, 'custom'> }
  | { kind: 'remove-all' };

/** What a caller hears. */
export type ModelAnswer = 'done' | 'absent' | 'cas required' | 'cas mismatch' | { version: number } | { gone: number };

export interface ModelConfig {
  maxVersions: number;
  casRequired: boolean;
  deleteAfterSeconds: number;
}

export interface Model {
  readonly config: Readonly<ModelConfig>;
  readonly secrets: ReadonlyMap<string, ModelSecret>;
  /** Changes the model. */
  apply(operation: ModelOperation, now: number): ModelAnswer;
  /** What a read finds. @param version 0 for the current one */
  read(path: string, version: number, now: number): 'absent' | { gone: ModelVersion } | { value: string };
  list(folder: string): string[];
  copy(): Model;
}

interface Contents {
  secrets: Map<string, ModelSecret>;
  config: ModelConfig;
}

export function createModel(
  contents: Contents = {
    secrets: new Map(),
    config: { maxVersions: 0, casRequired: false, deleteAfterSeconds: 0 },
  },
): Model {
  const { secrets, config } = contents;

  function endOf(secret: ModelSecret, now: number): number | undefined {
    if (config.deleteAfterSeconds < 0) return undefined;
    if (config.deleteAfterSeconds === 0 && secret.deleteAfterSeconds === 0) return undefined;
    if (config.deleteAfterSeconds === 0) return now + secret.deleteAfterSeconds * 1000;
    if (secret.deleteAfterSeconds === 0) return now + config.deleteAfterSeconds * 1000;
    return now + Math.min(config.deleteAfterSeconds, secret.deleteAfterSeconds) * 1000;
  }

  function casProblem(secret: ModelSecret | undefined, cas: number | undefined): ModelAnswer | undefined {
    if (cas === undefined) return config.casRequired || secret?.casRequired === true ? 'cas required' : undefined;
    return cas === (secret?.current ?? 0) ? undefined : 'cas mismatch';
  }

  function addVersion(secret: ModelSecret, value: string, now: number): ModelAnswer {
    secret.current += 1;
    secret.versions.set(secret.current, { created: now, ends: endOf(secret, now), value });
    secret.updated = now;
    let keep = secret.maxVersions > config.maxVersions ? secret.maxVersions : config.maxVersions;
    if (keep === 0) keep = 10;
    if (secret.current - secret.oldest >= keep) {
      secret.oldest = secret.current - keep + 1;
      for (const number of [...secret.versions.keys()]) if (number < secret.oldest) secret.versions.delete(number);
    }
    return { version: secret.current };
  }

  function emptySecret(now: number): ModelSecret {
    return {
      created: now,
      updated: now,
      current: 0,
      oldest: 0,
      versions: new Map(),
      maxVersions: 0,
      casRequired: false,
      deleteAfterSeconds: 0,
      custom: null,
    };
  }

  function set(secret: ModelSecret, { maxVersions, casRequired, deleteAfterSeconds, custom }: ModelSettings): void {
    if (maxVersions !== undefined) secret.maxVersions = maxVersions;
    if (casRequired !== undefined) secret.casRequired = casRequired;
    if (deleteAfterSeconds !== undefined) secret.deleteAfterSeconds = deleteAfterSeconds;
    if (custom !== undefined) secret.custom = custom;
  }

  const model: Model = {
    config,
    secrets,

    apply(operation, now) {
      switch (operation.kind) {
        case 'put': {
          const existing = secrets.get(operation.path);
          const problem = casProblem(existing, operation.cas);
          if (problem !== undefined) return problem;
          const secret = existing ?? emptySecret(now);
          secrets.set(operation.path, secret);
          return addVersion(secret, JSON.stringify(operation.data), now);
        }
        case 'patch': {
          const secret = secrets.get(operation.path);
          const current = secret?.versions.get(secret.current);
          if (secret === undefined || current === undefined) return 'absent';
          const problem = casProblem(secret, operation.cas);
          if (problem !== undefined) return problem;
          if (current.value === undefined || isOver(current, now)) return { gone: secret.current };
          return addVersion(secret, JSON.stringify(merge(JSON.parse(current.value), operation.data)), now);
        }
        case 'delete': {
          const secret = secrets.get(operation.path);
          return model.apply({ kind: 'delete-versions', path: operation.path, versions: [secret?.current ?? 0] }, now);
        }
        case 'delete-versions':
          for (const version of picked(operation)) if (!isOver(version, now)) version.ends = now;
          return 'done';
        case 'undelete': {
          const secret = secrets.get(operation.path);
          for (const version of picked(operation)) if (secret) version.ends = endOf(secret, now);
          return 'done';
        }
        case 'destroy':
          for (const version of picked(operation)) version.value = undefined;
          return 'done';
        case 'metadata': {
          if (Object.keys(operation.settings).length === 0) return 'done';
          const secret = secrets.get(operation.path) ?? emptySecret(now);
          secrets.set(operation.path, secret);
          set(secret, operation.settings);
          return 'done';
        }
        case 'patch-metadata': {
          const secret = secrets.get(operation.path);
          if (secret === undefined) return 'absent';
          set(secret, operation.settings);
          return 'done';
        }
        case 'remove':
          secrets.delete(operation.path);
          return 'done';
        case 'configure':
          Object.assign(config, operation.settings);
          return 'done';
        case 'remove-all':
          secrets.clear();
          return 'done';
      }
    },

    read(path, wanted, now) {
      const secret = secrets.get(path);
      const version = secret?.versions.get(wanted === 0 ? secret.current : wanted);
      if (version === undefined) return 'absent';
      if (version.value === undefined || isOver(version, now)) return { gone: version };
      return { value: version.value };
    },

    list(folder) {
      const prefix = folder === '' ? '' : `${folder}/`;
      const names = [...secrets.keys()]
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length))
        .map((rest) => (rest.includes('/') ? rest.slice(0, rest.indexOf('/') + 1) : rest));
      return [...new Set(names)].sort();
    },

    copy: () => createModel(structuredClone({ secrets, config })),
  };

  /** Those of the wanted versions that still have a value. */
  function picked({ path, versions }: { path: string; versions: readonly number[] }): ModelVersion[] {
    const secret = secrets.get(path);
    return versions.flatMap((number) => {
      const version = secret?.versions.get(number);
      return version?.value === undefined ? [] : [version];
    });
  }

  return model;
}

function isOver({ ends }: ModelVersion, now: number): boolean {
  return ends !== undefined && ends <= now;
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}
