/** A vault as a few plain rules, to hold the stand-in against. Times are milliseconds unless they say seconds. */
export type Kind = 'keys' | 'secrets';

export interface ModelVersion {
  /** Learned from the answer that made it. */
  id: string;
  enabled: boolean;
  tags: Record<string, string> | undefined;
  value: string;
  createdSeconds: number;
  updatedSeconds: number;
}

interface ModelObject {
  name: string;
  versions: ModelVersion[];
  deletedAt?: number;
  recoveredAt?: number;
}

export interface Refusal {
  refused: (number | string)[];
}

export const deletionLag = 10_000;
export const recoveryLag = 7_000;
export const retention = 7 * 86_400_000;

type Phase = 'absent' | 'live' | 'deleting' | 'deleted' | 'recovering' | 'purging';

const conflict = (inner: string): Refusal => ({ refused: [409, 'Conflict', inner] });

export function createModel(kind: Kind, now: () => number) {
  const objects = new Map<string, ModelObject>();
  const purgedAt = new Map<string, number>();
  const absent: Refusal = { refused: [404, kind === 'keys' ? 'KeyNotFound' : 'SecretNotFound'] };

  const phaseOf = (name: string): Phase => {
    const object = objects.get(name.toLowerCase());
    const purged = purgedAt.get(name.toLowerCase());
    if (!object) return purged !== undefined && now() < purged + deletionLag ? 'purging' : 'absent';
    if (object.deletedAt !== undefined) {
      if (now() >= object.deletedAt + retention) return 'absent';
      return now() < object.deletedAt + deletionLag ? 'deleting' : 'deleted';
    }
    return object.recoveredAt !== undefined && now() < object.recoveredAt + recoveryLag ? 'recovering' : 'live';
  };
  const get = (name: string): ModelObject => objects.get(name.toLowerCase()) as ModelObject;
  const seconds = () => Math.floor(now() / 1000);
  const namesIn = (phase: Phase): ModelObject[] =>
    [...objects.values()]
      .filter((object) => phaseOf(object.name) === phase)
      .sort((one, other) => (one.name.toUpperCase() < other.name.toUpperCase() ? -1 : 1));

  return {
    phaseOf,
    /** @returns the version whose id the answer must tell, or the refusal */
    write(name: string, properties: Pick<ModelVersion, 'enabled' | 'tags' | 'value'>): ModelVersion | Refusal {
      switch (phaseOf(name)) {
        case 'deleting':
        case 'purging':
          return conflict('ObjectIsBeingDeleted');
        case 'deleted':
          return conflict('ObjectIsDeletedButRecoverable');
        case 'recovering':
          return conflict('ObjectIsBeingRecovered');
        case 'absent':
          objects.set(name.toLowerCase(), { name, versions: [] });
          break;
        case 'live':
      }
      const version = { id: '', ...properties, createdSeconds: seconds(), updatedSeconds: seconds() };
      get(name).versions.push(version);
      return version;
    },
    nameOf: (name: string): string => objects.get(name.toLowerCase())?.name ?? name,
    /** @param index from the newest backwards; undefined for the newest by no version */
    read(name: string, index: number): ModelVersion | Refusal {
      if (phaseOf(name) !== 'live') return absent;
      return get(name).versions.at(-1 - index) ?? absent;
    },
    versionsOf: (name: string): ModelVersion[] => (phaseOf(name) === 'live' ? get(name).versions : []),
    idOf(name: string, index: number): string {
      return objects.get(name.toLowerCase())?.versions.at(-1 - index)?.id ?? '0'.repeat(32);
    },
    update(version: ModelVersion, change: Partial<Pick<ModelVersion, 'enabled' | 'tags'>>): void {
      if (change.enabled !== undefined) version.enabled = change.enabled;
      if (change.tags) version.tags = Object.keys(change.tags).length > 0 ? change.tags : undefined;
      version.updatedSeconds = seconds();
    },
    remove(name: string): ModelObject | Refusal {
      if (phaseOf(name) === 'recovering') return conflict('ObjectIsBeingRecovered');
      if (phaseOf(name) !== 'live') return absent;
      get(name).deletedAt = now();
      return get(name);
    },
    deleted: (name: string): ModelObject | Refusal => (phaseOf(name) === 'deleted' ? get(name) : absent),
    recover(name: string): ModelObject | Refusal {
      const refusal = refusalOfDeleted(phaseOf(name));
      if (refusal) return refusal;
      const object = get(name);
      delete object.deletedAt;
      object.recoveredAt = now();
      return object;
    },
    purge(name: string): Refusal | undefined {
      const refusal = refusalOfDeleted(phaseOf(name));
      if (refusal) return refusal;
      objects.delete(name.toLowerCase());
      purgedAt.set(name.toLowerCase(), now());
      return undefined;
    },
    live: () => namesIn('live'),
    allDeleted: () => namesIn('deleted'),
  };

  function refusalOfDeleted(phase: Phase): Refusal | undefined {
    if (phase === 'recovering') return conflict('ObjectIsBeingRecovered');
    if (phase === 'deleting') return conflict('ObjectIsBeingDeleted');
    return phase === 'deleted' ? undefined : absent;
  }
}

export type Model = ReturnType<typeof createModel>;
