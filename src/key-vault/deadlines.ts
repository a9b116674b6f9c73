import type { KeyClientOptions } from '@azure/keyvault-keys';
import { AzureFailure } from '../azure-failure.ts';

type PipelinePolicy = NonNullable<KeyClientOptions['additionalPolicies']>[number]['policy'];

/** Keeps calls from being sent once their time is up. */
export interface Deadlines {
  /** Breaks a call off after `milliseconds`, or at `deadline` if that is earlier. */
  start(milliseconds: number, deadline: Date | undefined): { signal: AbortSignal; wasSent(): boolean };
  /**
   * Goes next to the wire, and knows a call by its signal. A timer alone won't do: it stands still while the process is
   * paused, and signing in may have taken its time. The clock on the wall decides.
   */
  policy: PipelinePolicy;
}

export function createDeadlines(): Deadlines {
  const calls = new WeakMap<object, { deadline: Date | undefined; sent: boolean }>();
  return {
    start(milliseconds, deadline) {
      const left = deadline === undefined ? Infinity : deadline.getTime() - Date.now();
      const signal = AbortSignal.timeout(Math.max(0, Math.min(milliseconds, left)));
      const call = { deadline, sent: false };
      calls.set(signal, call);
      return { signal, wasSent: () => call.sent };
    },
    policy: {
      name: 'deadline',
      sendRequest(request, next) {
        const call = request.abortSignal && calls.get(request.abortSignal);
        if (call === undefined) throw new Error('a change was to be sent without a time limit');
        if (call.deadline !== undefined && call.deadline.getTime() <= Date.now()) throw tooLate();
        call.sent = true;
        return next(request);
      },
    },
  };
}

export function tooLate(): AzureFailure {
  return new AzureFailure('unavailable', 'the time for the call was over before it could be sent');
}
