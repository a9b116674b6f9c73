import { setTimeout as delay } from 'node:timers/promises';
import type { Fault, PageFault } from '../faults.ts';
import { KeyVaultError, throttled } from './errors.ts';
import { answerTo, type Answer } from './http-answer.ts';

/**
 * Does what a fault says to an operation.
 * @param run the operation; it answers its own refusals and never rejects
 * @returns the answer, or `closed` where the connection is to be closed without one
 */
export async function suffer(fault: Fault | undefined, run: () => Promise<Answer>): Promise<Answer | 'closed'> {
  switch (fault?.kind) {
    case undefined:
      return run();
    case 'refuse': {
      const message = fault.message ?? 'The service is unavailable.';
      return answerTo(new KeyVaultError(fault.status ?? 503, fault.code ?? 'ServiceUnavailable', message));
    }
    case 'throttle':
      return answerTo(throttled('VaultRequestTypeLimitReached', fault.retryAfterSeconds));
    case 'fail-after-effect':
      await run();
      return answerTo(new KeyVaultError(fault.status ?? 500, 'InternalServerError', 'An internal error occurred.'));
    case 'drop-reply':
      await run();
      return 'closed';
    case 'reset':
      return 'closed';
    case 'delay': {
      const answer = await run();
      await delay(fault.milliseconds);
      return answer;
    }
    case 'twice': {
      const first = await run();
      const second = await run();
      // The second of two deletes finds nothing, and yet the caller's delete was done.
      return second.status < 400 ? second : first;
    }
  }
}

/**
 * Does what a fault says to an answer that is a page of a list.
 * @param link of the page itself
 */
export function sufferPage(fault: PageFault | undefined, page: Answer, link: string): Answer {
  switch (fault?.kind) {
    case undefined:
      return page;
    case 'empty-page':
      return { ...page, body: { value: [], nextLink: link } };
    case 'broken-page': {
      const text = JSON.stringify(page.body);
      return { ...page, brokenBody: text.slice(0, text.length / 2) };
    }
  }
}

/** Whether an answer is a page of a list. */
export const isPage = ({ body }: Answer): boolean => body !== undefined && 'nextLink' in body;
