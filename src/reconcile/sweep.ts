import type { Messaging } from '../messaging/index.ts';
import type { Intent, IntentStore } from '../state/intents.ts';
import type { KeyStore } from '../state/keys.ts';
import type { NameIndex } from '../state/names.ts';
import type { ProviderStore } from '../state/providers.ts';
import { graceTime } from './intents.ts';

export interface SweepOptions {
  keys: KeyStore;
  providers: ProviderStore;
  names: NameIndex;
  intents: IntentStore;
  messaging: Messaging;
  now: () => Date;
}

/**
 * Finds the work that nobody was woken for: each intent that is due is woken again, or seen to if it concerns nothing
 * but our own state. Costs as much as there are open intents, and there are none most of the time.
 */
export function createSweep({ keys, providers, names, intents, messaging, now }: SweepOptions): () => Promise<void> {
  async function visit(intent: Intent): Promise<void> {
    const { subject } = intent;
    switch (subject.kind) {
      case 'distribution': {
        const stamp = await intents.reschedule(intent, { dueTime: graceTime(now()), attempts: intent.attempts });
        if (stamp !== undefined) await messaging.wake(subject, stamp);
        return;
      }
      case 'key': {
        await keys.finishRemoval(subject);
        await agree(subject.mount, 'key', subject.key, await keys.exists(subject));
        break;
      }
      case 'provider': {
        const exists = (await providers.read(subject)) !== undefined;
        await agree(subject.mount, 'provider', subject.provider, exists);
        break;
      }
    }
    await intents.remove(intent);
  }

  async function agree(mount: string, kind: 'key' | 'provider', name: string, exists: boolean): Promise<void> {
    await (exists ? names.add(mount, kind, name) : names.remove(mount, kind, name));
  }

  return async () => {
    const due = (await intents.list()).filter(({ dueTime }) => dueTime <= now());
    const errors: unknown[] = [];
    for (const intent of due) {
      await visit(intent).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0)
      throw new AggregateError(errors, `${errors.length} of ${due.length} intents could not be seen to`);
  };
}
