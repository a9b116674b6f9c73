import { app } from '@azure/functions';
import { getHeapStatistics } from 'node:v8';

app.http('talk', {
  handler: (_request, context) => {
    console.log('one\ntwo');
    console.info('info');
    console.debug('debug');
    console.warn('warned');
    console.error('failed');
    context.log('log', { a: 1 });
    context.info('context info');
    context.warn('context warn');
    context.error('context error');
    context.trace('context trace');
    context.debug('context debug');
    return {};
  },
});

app.http('process', {
  handler: (request, context) => ({
    jsonBody: {
      cwd: process.cwd(),
      title: process.title,
      environment: process.env,
      nodeArguments: process.execArgv,
      traceContext: context.traceContext,
      traceparent: request.headers.get('traceparent'),
      triggerMetadata: context.triggerMetadata ?? null,
      heapLimit: getHeapStatistics().heap_size_limit,
    },
  }),
});
