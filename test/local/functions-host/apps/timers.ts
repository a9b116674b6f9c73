import { app, type InvocationContext, type Timer } from '@azure/functions';

/** Each run says when it was, and with what. */
function record(timer: Timer, context: InvocationContext): void {
  const { invocationId, retryContext, triggerMetadata } = context;
  const metadata = triggerMetadata ?? 'none';
  context.log(JSON.stringify({ at: Date.now(), timer, invocationId, retryContext, metadata }));
}

const never = '0 0 0 1 1 *';

app.timer('everySecond', { schedule: '* * * * * *', handler: record });
app.timer('span', { schedule: '00:00:02', handler: record });
app.timer('hourly', { schedule: '0 * * * *', handler: record });
app.timer('spanHourly', { schedule: '01:00:00', handler: record });
app.timer('unmonitored', { schedule: never, useMonitor: false, handler: record });
app.timer('onStartup', { schedule: never, runOnStartup: true, handler: record });

app.timer('slow', {
  schedule: '* * * * * *',
  handler: async (timer, context) => {
    record(timer, context);
    await new Promise((resolve) => setTimeout(resolve, 1400));
    context.log(JSON.stringify({ end: Date.now() }));
  },
});

app.timer('throwing', {
  schedule: '* * * * * *',
  handler: (timer, context) => {
    record(timer, context);
    throw new Error('every time');
  },
});

app.timer('retried', {
  schedule: never,
  runOnStartup: true,
  retry: { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: { seconds: 1 } },
  handler: (timer, context) => {
    record(timer, context);
    throw new Error('again');
  },
});

app.timer('hasty', {
  schedule: never,
  runOnStartup: true,
  retry: { strategy: 'fixedDelay', maxRetryCount: 3, delayInterval: { milliseconds: 400 } },
  handler: (timer, context) => {
    record(timer, context);
    throw new Error('again');
  },
});
