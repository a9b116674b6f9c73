import { randomUUID } from 'node:crypto';
import { repeatUntilWritten } from '../state/repeat.ts';
import type { SecretChange, SecretReference } from '../state/secret-records.ts';
import { mostForgottenAtOnce, type SecretState, type SecretStore, type SecretWrite } from '../state/secrets.ts';
import { destroyVersions } from './versions.ts';

/** What is to become of a secret, decided from what there is. */
export interface Decision<T> {
  /** Absent: nothing is to be changed. */
  write?: Omit<SecretWrite, 'change'> & { kind: SecretChange['kind'] };
  result: T;
}

export interface CommitSteps<T> {
  /** May be asked several times; throws to refuse. */
  decide: (state: SecretState | undefined, time: Date) => Promise<Decision<T>>;
  /** What has to be done before a write that may then fail all the same. */
  prepare?: (state: SecretState | undefined, write: SecretWrite) => Promise<void>;
}

export type Commit = <T>(reference: SecretReference, steps: CommitSteps<T>) => Promise<T>;

export interface CommitOptions {
  secrets: SecretStore;
  now: () => Date;
}

/**
 * Reads, decides and writes; again for as long as somebody else's write comes first. A write is taken for refused only
 * if it wasn't done: the client of Table Storage repeats a write whose reply it lost, and then hears a refusal.
 */
export function createCommit({ secrets, now }: CommitOptions): Commit {
  return async function commit<T>(reference: SecretReference, { decide, prepare }: CommitSteps<T>): Promise<T> {
    const id = randomUUID();
    let sent: { result: T } | undefined;

    async function attempt(): Promise<{ result: T } | undefined> {
      const state = await secrets.read(reference);
      if (sent !== undefined && state?.lastChange.id === id) return sent;
      const time = now();
      const { write, result } = await decide(state, time);
      if (write === undefined) return { result };
      const { kind, ...content } = write;
      const { forget = [] } = content;
      if (forget.length > mostForgottenAtOnce) {
        return (await destroySome(reference, state, forget, time)) ? attempt() : undefined;
      }
      const written = { ...content, change: { kind, time, id } };
      await prepare?.(state, written);
      sent = { result };
      return (await secrets.write(reference, state, written)) ? sent : undefined;
    }

    return (await repeatUntilWritten(attempt)).result;
  };

  /** What a write can't forget all at once is destroyed before, in as many writes as that takes. */
  async function destroySome(
    reference: SecretReference,
    state: SecretState | undefined,
    forget: readonly number[],
    time: Date,
  ): Promise<boolean> {
    const destroyed = state?.record && destroyVersions(state.record, forget.slice(0, mostForgottenAtOnce));
    if (destroyed === undefined) return false;
    return secrets.write(reference, state, { ...destroyed, change: { kind: 'destroy', time, id: randomUUID() } });
  }
}
