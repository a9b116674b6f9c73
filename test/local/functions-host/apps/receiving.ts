import { app, type InvocationContext } from '@azure/functions';

interface Order {
  waitMilliseconds?: number;
  /** Throw until this delivery. */
  failBefore?: number;
}

/** Says what it got, and does what the message asks for. */
async function receive(message: unknown, context: InvocationContext): Promise<void> {
  const { triggerMetadata, retryContext, traceContext } = context;
  const isBytes = Buffer.isBuffer(message);
  const shown = isBytes ? message.toString('hex') : message;
  context.log(
    JSON.stringify({ start: Date.now(), isBytes, message: shown, triggerMetadata, retryContext, traceContext }),
  );
  const { waitMilliseconds = 0, failBefore = 0 } = (typeof message === 'object' ? (message ?? {}) : {}) as Order;
  await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
  context.log(JSON.stringify({ end: Date.now(), message: shown }));
  if (Number(triggerMetadata?.['deliveryCount']) < failBefore) throw new Error('not this time');
}

const connection = 'Bus';

app.serviceBusQueue('plain', { connection, queueName: '%PLAIN%', handler: receive });
const binary = { connection, queueName: 'binary', dataType: 'binary' };
app.serviceBusQueue('binary', { ...binary, handler: receive });
const subscription = { connection, topicName: 'topic', subscriptionName: '%SUBSCRIPTION%' };
app.serviceBusTopic('subscribed', { ...subscription, handler: receive });
app.serviceBusQueue('sessions', { connection, queueName: 'sessions', isSessionsEnabled: true, handler: receive });
app.serviceBusQueue('unsettled', { connection, queueName: 'unsettled', autoCompleteMessages: false, handler: receive });
app.serviceBusQueue('tight', { connection, queueName: 'tight', handler: receive });
