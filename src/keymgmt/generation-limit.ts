import { KeyfleetError } from '../errors.ts';

/**
 * How long a request waits for its key pair. Azure's HTTP front door gives a request up after 230 s, and probing vaults
 * before, writing and waiting for the vaults after (a minute at most) must fit in, too; even a creation that has to be
 * begun again, since a key of its name is just being deleted, does.
 */
const mostGenerationSeconds = 100;

/**
 * @param generate is rejected with the signal's reason once it is aborted
 * @throws KeyfleetError `unavailable` when the time is over
 */
export async function withinGenerationLimit<T>(generate: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new KeyfleetError(
        'unavailable',
        `no key pair could be made within ${mostGenerationSeconds} seconds, because too many are being made: ` +
          'nothing was changed. Try again later, or have pairs made in advance (setting KEYFLEET_KEY_POOL)',
      ),
    );
  }, mostGenerationSeconds * 1000);
  try {
    return await generate(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
