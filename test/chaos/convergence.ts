import { setTimeout as sleep } from 'node:timers/promises';
import type { IntentStore } from '../../src/state/intents.ts';
import type { Agreement } from './agreement.ts';
import type { KeyLedger } from './ledger.ts';
import { eachAtMost } from './service.ts';

const looksAtOnce = 8;
const betweenLooksMilliseconds = 250;

/**
 * Looks again and again at the keys that don't agree yet, until all do and no work is left open, or it is over.
 * @returns what is still wrong; nothing once all is well
 */
export async function converge(options: {
  agreement: Agreement;
  intents: IntentStore;
  ledgers: readonly KeyLedger[];
  isOver: () => boolean;
}): Promise<readonly string[]> {
  const { agreement, intents, ledgers, isOver } = options;
  let disagreeing: readonly KeyLedger[] = ledgers;
  for (;;) {
    const problems: string[] = [];
    const found = new Set<KeyLedger>();
    await eachAtMost(looksAtOnce, disagreeing, async (ledger) => {
      const ofKey = await agreement.look(ledger);
      if (ofKey.length > 0) found.add(ledger);
      problems.push(...ofKey);
    });
    disagreeing = [...found];
    if (disagreeing.length === 0) {
      // Those that somebody announced and never made stay for longer than anybody could sleep; nothing is left to do for them.
      const open = (await intents.list()).filter(
        ({ announced, attempts }) => announced === undefined || attempts === 0,
      );
      problems.push(...open.map(({ subject }) => `work is left open: ${JSON.stringify(subject)}`));
    }
    if (problems.length === 0 || isOver()) return problems;
    await sleep(betweenLooksMilliseconds);
  }
}
