import { app } from '@azure/functions';

/** Ways to bring a worker down, and to see who goes with it. */
app.http('crash', {
  route: 'crash/{how}',
  handler: (request) => {
    switch (request.params['how']) {
      case 'reject':
        // eslint-disable-next-line @typescript-eslint/no-floating-promises -- that is the case
        Promise.reject(new Error('nobody waits for this'));
        break;
      case 'throw':
        setImmediate(() => {
          throw new Error('nobody catches this');
        });
        break;
      default:
        setImmediate(() => process.exit(Number(request.params['how'])));
    }
    return { body: 'started' };
  },
});

app.http('wait', {
  route: 'wait/{milliseconds}',
  handler: async (request) => {
    await new Promise((resolve) => setTimeout(resolve, Number(request.params['milliseconds'])));
    return { body: String(process.pid) };
  },
});

app.http('block', {
  route: 'block/{milliseconds}',
  handler: (request) => {
    const end = performance.now() + Number(request.params['milliseconds']);
    while (performance.now() < end);
    return { body: 'blocked' };
  },
});

app.hook.appTerminate(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log('terminated in order');
});

process.on('SIGTERM', () => console.log('a signal came'));
process.on('SIGINT', () => console.log('a signal came'));
