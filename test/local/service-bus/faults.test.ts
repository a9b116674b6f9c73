import type { EventContext } from 'rhea';
import { describe, expect, it } from 'vitest';
import { codeOf, receiveBodies, receiveOne, sleep, startBus, until } from './harness.ts';
import { connectRaw } from './raw-client.ts';

const withoutRenewal = { maxAutoLockRenewalDurationInMs: 0 };
const service = 'service-bus';

describe.concurrent('faults of send', () => {
  it.concurrent('refuse: nothing is taken, with the condition that was asked for', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    bus.faults.add({
      service,
      operation: 'send',
      name: 'q',
      times: 1,
      fault: { kind: 'refuse', code: 'com.microsoft:entity-disabled', message: 'off' },
    });
    const sender = bus.client().createSender('q');
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'MessagingEntityDisabled',
      message: expect.stringContaining('off') as string,
    });
    await sender.sendMessages({ body: 2 });
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 2 }]);
    expect(bus.faults.log).toMatchObject([{ service, operation: 'send', name: 'q' }]);
  });

  it.concurrent('throttle: nothing is taken, and the client is told that the server is busy', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'throttle' } });
    expect(await codeOf(bus.client().createSender('q').sendMessages({ body: 1 }))).toBe('ServiceBusy');
    expect(bus.broker.queue('q').active).toBe(0);
  });

  it.concurrent('fail-after-effect: the message is taken, and the client retries', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'fail-after-effect' } });
    const client = bus.client({ retryOptions: { timeoutInMs: 2000, maxRetries: 1, retryDelayInMs: 10 } });
    await client.createSender('q').sendMessages({ body: 1, messageId: 'same' });
    expect(bus.broker.queue('q').messages()).toMatchObject([{ messageId: 'same' }, { messageId: 'same' }]);
  });

  it.concurrent('drop-reply: the message is taken, and the connection breaks', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'drop-reply' } });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q');
    const sender = await raw.sender({ target: { address: 'q' } });
    let answered = false;
    sender.on('accepted', () => (answered = true));
    const broken = new Promise((resolve) => raw.connection.once('disconnected', resolve));
    sender.send({ body: 1 });
    await broken;
    expect(answered).toBe(false);
    expect(bus.broker.queue('q').active).toBe(1);
  });

  it.concurrent('reset: the connection breaks before anything is taken, and the client tries again', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'reset' } });
    const client = bus.client({ retryOptions: { timeoutInMs: 1000, maxRetries: 3, retryDelayInMs: 10 } });
    await client.createSender('q').sendMessages({ body: 1 });
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 1 }]);
  });

  it.concurrent('delay: the message is taken at once, the answer comes late', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const sender = bus.client().createSender('q');
    await sender.sendMessages({ body: 1 });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'delay', milliseconds: 300 } });
    const started = Date.now();
    let answered = false;
    const sent = sender.sendMessages({ body: 2 }).then(() => (answered = true));
    await until(() => bus.broker.queue('q').active === 2);
    expect(answered).toBe(false);
    await sent;
    expect(Date.now() - started).toBeGreaterThanOrEqual(295);
  });

  it.concurrent('twice: the message is there twice, past duplicate detection', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', requiresDuplicateDetection: true }] });
    bus.faults.add({ service, operation: 'send', times: 1, fault: { kind: 'twice' } });
    const sender = bus.client().createSender('q');
    await sender.sendMessages({ body: 1, messageId: 'same' });
    await sender.sendMessages({ body: 1, messageId: 'same' });
    expect(bus.broker.queue('q').messages()).toMatchObject([{ messageId: 'same' }, { messageId: 'same' }]);
  });
});

describe.concurrent('faults of deliver', () => {
  it.concurrent('twice: the message comes twice, in a session still in order', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }, { name: 's', requiresSession: true }] });
    const client = bus.client();
    for (const name of ['q', 's']) {
      await client
        .createSender(name)
        .sendMessages([1, 2, 3].map((body) => ({ body, messageId: `id-${body}`, sessionId: 'a' })));
      bus.faults.add({ service, operation: 'deliver', name, after: 1, times: 1, fault: { kind: 'twice' } });
    }
    expect(await receiveBodies(client.createReceiver('q'), 4)).toEqual([1, 2, 2, 3]);
    const session = await client.acceptSession('s', 'a');
    const messages = await session.receiveMessages(4, { maxWaitTimeInMs: 300 });
    expect(messages.map(({ messageId }) => messageId)).toEqual(['id-1', 'id-2', 'id-2', 'id-3']);
    expect(new Set(messages.map(({ lockToken }) => lockToken)).size).toBe(4);
    for (const message of messages) await session.completeMessage(message);
    expect(bus.broker.queue('s').active).toBe(0);
  });

  it.concurrent(
    'delay: may outlive the lock; the message comes again meanwhile, and the late one cannot be settled',
    async () => {
      await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.8 }] });
      const client = bus.client();
      await client.createSender('q').sendMessages({ body: 1 });
      bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind: 'delay', milliseconds: 1700 } });
      const slow = client.createReceiver('q', withoutRenewal);
      const late = receiveOne(slow);
      await until(() => bus.faults.log.length === 1);
      const other = client.createReceiver('q', withoutRenewal);
      const message = await receiveOne(other);
      expect(message).toMatchObject({ body: 1, deliveryCount: 1 });
      await other.completeMessage(message);
      const stale = await late;
      expect(stale).toMatchObject({ body: 1, deliveryCount: 0 });
      expect(stale.lockedUntilUtc?.getTime()).toBeLessThan(Date.now());
      expect(await codeOf(slow.completeMessage(stale))).toBe('MessageLockLost');
      expect(bus.broker.queue('q').active).toBe(0);
    },
  );

  it.concurrent('delay: nothing overtakes the late message on its link', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    const client = bus.client();
    await client.createSender('s').sendMessages([1, 2, 3].map((body) => ({ body, sessionId: 'a' })));
    bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind: 'delay', milliseconds: 200 } });
    expect(await receiveBodies(await client.acceptSession('s', 'a'), 3)).toEqual([1, 2, 3]);
  });

  it.concurrent('refuse and throttle: the link is detached, the message stays', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q');
    for (const [kind, code] of [
      ['throttle', 'ServiceBusy'],
      ['refuse', 'GeneralError'],
    ] as const) {
      bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind } });
      expect(await codeOf(receiver.receiveMessages(1, { maxWaitTimeInMs: 2000 }))).toBe(code);
      expect(bus.broker.queue('q').messages()).toMatchObject([{ locked: false, deliveryCount: 0 }]);
    }
    expect(await receiveOne(receiver)).toMatchObject({ body: 1 });
  });

  it.concurrent.each(['drop-reply', 'fail-after-effect'] as const)(
    '%s: the message is locked, but nobody has it',
    async (kind) => {
      await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 0.5 }] });
      const client = bus.client();
      await client.createSender('q').sendMessages({ body: 1 });
      bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind } });
      const failed = codeOf(client.createReceiver('q').receiveMessages(1, { maxWaitTimeInMs: 400 }));
      await until(() => bus.faults.log.length === 1);
      expect(bus.broker.queue('q').messages()).toMatchObject([{ locked: true }]);
      await failed;
      expect(await receiveOne(bus.client().createReceiver('q'))).toMatchObject({ body: 1, deliveryCount: 1 });
    },
  );

  it.concurrent('reset: a session is let go with the connection', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    await bus.client().createSender('s').sendMessages({ body: 1, sessionId: 'a' });
    bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind: 'reset' } });
    const receiver = await bus.client().acceptSession('s', 'a');
    await codeOf(receiver.receiveMessages(1, { maxWaitTimeInMs: 500 }));
    expect(bus.faults.log).toHaveLength(1);
    expect(await receiveOne(await bus.client().acceptSession('s', 'a'))).toMatchObject({ body: 1, deliveryCount: 0 });
  });

  it.concurrent('reset: the connection breaks before the message is locked; a subscription comes back', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client({ retryOptions: { timeoutInMs: 1000, maxRetries: 3, retryDelayInMs: 10 } });
    bus.faults.add({ service, operation: 'deliver', times: 1, fault: { kind: 'reset' } });
    const seen: unknown[] = [];
    client.createReceiver('q').subscribe({
      processMessage: async ({ body, deliveryCount }) => void seen.push([body, deliveryCount]),
      processError: async () => undefined,
    });
    await bus.client().createSender('q').sendMessages({ body: 1 });
    await until(() => seen.length === 1);
    expect(seen).toEqual([[1, 0]]);
  });
});

describe.concurrent('faults of settling', () => {
  it.concurrent('drop-reply on complete: the message is gone, no answer comes', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q');
    await bus.client().createSender('q').sendMessages({ body: 1 });
    bus.faults.add({ service, operation: 'complete', times: 1, fault: { kind: 'drop-reply' } });
    const receiver = await raw.receiver({
      source: { address: 'q' },
      autoaccept: false,
      autosettle: false,
      rcv_settle_mode: 1,
      credit_window: 0,
    });
    let answered = false;
    receiver.on('settled', () => (answered = true));
    receiver.on('message', ({ delivery }: EventContext) => delivery?.accept());
    const broken = new Promise((resolve) => raw.connection.once('disconnected', resolve));
    receiver.add_credit(1);
    await broken;
    expect(answered).toBe(false);
    expect(bus.broker.queue('q').active).toBe(0);
  });

  it.concurrent('refuse and throttle: the message stays locked by its holder', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages([{ body: 1 }, { body: 2 }]);
    const receiver = client.createReceiver('q');
    bus.faults.add({ service, operation: 'complete', times: 1, fault: { kind: 'refuse', code: 'amqp:not-allowed' } });
    bus.faults.add({ service, operation: 'abandon', times: 1, fault: { kind: 'throttle' } });
    expect(await codeOf(receiver.completeMessage(await receiveOne(receiver)))).toBe('GeneralError');
    expect(await codeOf(receiver.abandonMessage(await receiveOne(receiver)))).toBe('ServiceBusy');
    expect(bus.broker.queue('q').messages()).toMatchObject([{ locked: true }, { locked: true }]);
  });

  it.concurrent('fail-after-effect: the message is settled, the client is told otherwise', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q');
    bus.faults.add({ service, operation: 'complete', times: 1, fault: { kind: 'fail-after-effect' } });
    expect(await codeOf(receiver.completeMessage(await receiveOne(receiver)))).toBe('GeneralError');
    expect(bus.broker.queue('q').active).toBe(0);
  });

  it.concurrent('delay: the message is settled at once, the answer comes late; twice changes nothing', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const client = bus.client();
    await client.createSender('q').sendMessages([{ body: 1 }, { body: 2 }]);
    const receiver = client.createReceiver('q');
    bus.faults.add({ service, operation: 'complete', times: 1, fault: { kind: 'delay', milliseconds: 200 } });
    bus.faults.add({ service, operation: 'abandon', times: 1, fault: { kind: 'twice' } });
    const started = Date.now();
    await receiver.completeMessage(await receiveOne(receiver));
    expect(Date.now() - started).toBeGreaterThanOrEqual(195);
    await receiver.abandonMessage(await receiveOne(receiver));
    expect(bus.broker.queue('q').messages()).toMatchObject([{ body: 2, deliveryCount: 1 }]);
  });
});

describe.concurrent('faults of locks, sessions and scheduling', () => {
  it.concurrent('renewLock: refused, or done without an answer', async () => {
    await using bus = await startBus({ queues: [{ name: 'q', lockDurationSeconds: 5 }] });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', withoutRenewal);
    const message = await receiveOne(receiver);
    bus.faults.add({
      service,
      operation: 'renewLock',
      times: 1,
      fault: { kind: 'refuse', code: 'com.microsoft:message-lock-lost', status: 410 },
    });
    expect(await codeOf(receiver.renewMessageLock(message))).toBe('MessageLockLost');
    bus.faults.add({ service, operation: 'renewLock', times: 1, fault: { kind: 'fail-after-effect' } });
    expect(await codeOf(receiver.renewMessageLock(message))).not.toBeUndefined();
    await receiver.renewMessageLock(message);
    expect(bus.faults.log.map(({ operation }) => operation)).toEqual(['renewLock', 'renewLock']);
  });

  it.concurrent('renewSessionLock: throttled', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true }] });
    const receiver = await bus.client().acceptSession('s', 'a', withoutRenewal);
    bus.faults.add({ service, operation: 'renewSessionLock', times: 1, fault: { kind: 'throttle' } });
    expect(await codeOf(receiver.renewSessionLock())).toBe('ServiceBusy');
    expect((await receiver.renewSessionLock()).getTime()).toBeGreaterThan(Date.now());
  });

  it.concurrent('acceptSession: refused, late, or done without anybody knowing', async () => {
    await using bus = await startBus({ queues: [{ name: 's', requiresSession: true, lockDurationSeconds: 1.5 }] });
    const client = bus.client();
    await client.createSender('s').sendMessages({ body: 1, sessionId: 'a' });
    bus.faults.add({ service, operation: 'acceptSession', times: 1, fault: { kind: 'throttle' } });
    expect(await codeOf(client.acceptSession('s', 'a'))).toBe('ServiceBusy');
    bus.faults.add({ service, operation: 'acceptSession', times: 1, fault: { kind: 'delay', milliseconds: 200 } });
    const started = Date.now();
    const receiver = await client.acceptNextSession('s');
    expect(Date.now() - started).toBeGreaterThanOrEqual(195);
    expect((await receiveOne(receiver)).body).toBe(1);
    await receiver.close();
    bus.faults.add({ service, operation: 'acceptSession', times: 1, fault: { kind: 'fail-after-effect' } });
    expect(await codeOf(client.acceptSession('s', 'a'))).not.toBeUndefined();
    expect(await codeOf(client.acceptSession('s', 'a'))).toBe('SessionCannotBeLocked');
    await sleep(1600);
    expect((await client.acceptSession('s', 'a')).sessionId).toBe('a');
  });

  it.concurrent(
    'acceptSession: an attach that comes later than the end of the lock is followed by a detach',
    async () => {
      await using bus = await startBus({ queues: [{ name: 's', requiresSession: true, lockDurationSeconds: 0.2 }] });
      await using raw = await connectRaw(bus.broker.port);
      await raw.putToken('s');
      bus.faults.add({ service, operation: 'acceptSession', times: 1, fault: { kind: 'delay', milliseconds: 400 } });
      const attach = raw.receiver({
        source: { address: 's', filter: { 'com.microsoft:session-filter': 'a' } } as never,
      });
      await expect(attach).rejects.toMatchObject({ condition: 'com.microsoft:session-lock-lost' });
      expect((await bus.client().acceptSession('s', 'a')).sessionId).toBe('a');
    },
  );

  it.concurrent('schedule: done twice, or done with the answer lost', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const sender = bus.client({ retryOptions: { timeoutInMs: 1500, maxRetries: 0 } }).createSender('q');
    const at = new Date(Date.now() + 60_000);
    bus.faults.add({ service, operation: 'schedule', times: 1, fault: { kind: 'twice' } });
    expect(await sender.scheduleMessages({ body: 1 }, at)).toHaveLength(1);
    expect(bus.broker.queue('q').scheduled).toBe(2);
    bus.faults.add({ service, operation: 'schedule', times: 1, fault: { kind: 'drop-reply' } });
    expect(await codeOf(sender.scheduleMessages({ body: 2 }, at))).not.toBeUndefined();
    expect(bus.broker.queue('q').scheduled).toBe(3);
  });
});
