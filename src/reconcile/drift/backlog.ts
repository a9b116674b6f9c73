import type { IntentStore } from '../../state/intents.ts';
import type { ProviderReference } from '../../state/providers.ts';

/** How long an answer holds: at worst it costs a read of all open intents. */
const answerMilliseconds = 10_000;

/**
 * Tells whether there is work for a vault that hasn't failed yet, as while many keys are rotated at once: what can wait
 * makes room for it then. Work that failed again and again doesn't count, or nothing would ever be looked at.
 */
export function createBacklog(
  { intents, now }: { intents: IntentStore; now: () => Date },
  { mount, provider }: ProviderReference,
): () => Promise<boolean> {
  async function isAnyFresh(): Promise<boolean> {
    for await (const page of intents.pages({})) {
      const isThere = page.some(
        ({ subject, attempts }) =>
          subject.kind === 'distribution' &&
          subject.mount === mount &&
          subject.provider === provider &&
          attempts <= mostAttempts,
      );
      if (isThere) return true;
    }
    return false;
  }

  let answer = { isBusy: false, until: -Infinity };
  return async () => {
    const time = now().getTime();
    if (time >= answer.until) {
      const isBusy = await isAnyFresh();
      answer = { isBusy, until: time + answerMilliseconds };
    }
    return answer.isBusy;
  };
}

/** What the sweep woke once, or our own pacing put off, has one. */
const mostAttempts = 1;
