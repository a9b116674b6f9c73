import { app, type HttpRequest } from '@azure/functions';

/** Records the order of things; each call names the hooks that shall misbehave in its query. */
const order: string[] = ['load'];

app.hook.appStart(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  order.push('appStart');
});

const queryOf = (inputs: unknown[]): URLSearchParams => (inputs[0] as HttpRequest).query;

app.hook.preInvocation(({ inputs, hookData, invocationContext }) => {
  if (invocationContext.functionName !== 'hooked') return;
  order.push('pre 1');
  hookData['shared'] = 'from pre';
  if (queryOf(inputs).has('pre-throws')) throw new Error('pre');
});

app.hook.preInvocation((context) => {
  if (context.invocationContext.functionName !== 'hooked') return;
  order.push('pre 2');
  if (!queryOf(context.inputs).has('replace')) return;
  context.functionHandler = () => ({ body: 'replaced' });
});

app.hook.postInvocation((context) => {
  if (context.invocationContext.functionName !== 'hooked') return;
  order.push(`post with ${String(context.hookData['shared'])}`);
  const query = queryOf(context.inputs);
  if (query.has('post-throws')) throw new Error('post');
  if (query.has('rescue')) {
    context.error = null;
    context.result = { status: 418, body: 'rescued' };
  }
  if (query.has('bad-result')) {
    context.error = null;
    context.result = { jsonBody: 1n };
  }
  if (query.has('half-rescue')) context.result = { status: 200 };
  if (query.has('empty')) {
    context.error = null;
    context.result = undefined;
  }
});

app.hook.log((context) => {
  context.message = context.message.replace('secret', '******');
});

app.http('hooked', {
  handler: (request, context) => {
    order.push('handler');
    context.log('a secret');
    if (request.query.has('throws')) throw new Error('handler');
    return { body: 'handled' };
  },
});

app.http('order', { handler: () => ({ jsonBody: order.splice(0) }) });
