import { once } from 'node:events';
import rhea from 'rhea';
import type { EventContext, Receiver } from 'rhea';
import { describe, expect, it } from 'vitest';
import { until } from './harness.ts';
import { lockTokenBytes, lockTokens, peekLockReceiver, settled, startRaw } from './raw-bus.ts';
import { statusOf } from './raw-client.ts';

const { types } = rhea;
const sessionFilter = 'com.microsoft:session-filter';

describe.concurrent('connecting', () => {
  it.concurrent('offers SASL ANONYMOUS and opens with its limits', async () => {
    await using bus = await startRaw();
    const { connection } = bus.raw;
    expect(connection).toMatchObject({ idle_time_out: 120_000, max_frame_size: 65_536, channel_max: 4999 });
  });

  it.concurrent('answers put-token with an int status', async () => {
    await using bus = await startRaw();
    expect(await bus.raw.putToken('q')).toBe(202);
    expect(await bus.raw.putToken('q', 'forged')).toBe(401);
  });

  it.concurrent('answers requests to $cbs that are not put-token', async () => {
    await using bus = await startRaw();
    expect(await bus.raw.putToken('q', 42 as never)).toBe(400);
  });
});

describe.concurrent('sending', () => {
  it.concurrent('gives credit and says how large a message may be', async () => {
    await using bus = await startRaw({ maxMessageSizeBytes: 5000 });
    const sender = await bus.raw.sender({ target: { address: 'q' } });
    expect(sender.max_message_size).toBe(5000);
    await until(() => sender.sendable());
  });

  it.concurrent('takes a batch in its own format', async () => {
    await using bus = await startRaw();
    const sender = await bus.raw.sender({ target: { address: 'q' } });
    const encode = (body: string) =>
      rhea.message.encode({ body: rhea.message.data_section(Buffer.from(body)) as unknown });
    const batch = rhea.message.encode({ body: rhea.message.data_sections([encode('"a"'), encode('"b"')]) as unknown });
    sender.send(batch, undefined, 0x80013700);
    await once(sender, 'accepted');
    expect(bus.queue.messages().map(({ body }) => body)).toEqual(['a', 'b']);
  });

  it.concurrent('keeps types that a decoded message would lose', async () => {
    await using bus = await startRaw();
    const sender = await bus.raw.sender({ target: { address: 'q' } });
    const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    sender.send({
      message_id: 'id',
      application_properties: {
        long: types.wrap_long(5),
        symbol: types.wrap_symbol('symbol'),
        uuid: types.wrap_uuid(uuid),
      },
      body: types.wrap_short(7),
    });
    const { receiver, next } = await peekLockReceiver(bus.raw);
    // What arrives is the same as what an undecoded look at the queued bytes shows.
    let bytes = Buffer.alloc(0);
    const session = receiver.session as unknown as { on_transfer(frame: { payload: Buffer }): void };
    const transfer = session.on_transfer.bind(receiver.session);
    session.on_transfer = (frame) => {
      bytes = Buffer.concat([bytes, frame.payload]);
      transfer(frame);
    };
    await next();
    const encoded = (value: Buffer) => bytes.includes(value);
    expect(
      encoded(Buffer.concat([Buffer.from([0xa3, 6]), Buffer.from('symbol'), Buffer.from([0x98]), uuid]).subarray(0, 8)),
    ).toBe(true);
    expect(encoded(Buffer.concat([Buffer.from([0x98]), uuid]))).toBe(true);
    expect(encoded(Buffer.concat([Buffer.from([0xa1, 4]), Buffer.from('long'), Buffer.from([0x55, 5])]))).toBe(true);
    expect(encoded(Buffer.from([0x00, 0x53, 0x77, 0x61, 0, 7]))).toBe(true);
  });

  it.concurrent('rejects what is no message, and goes on', async () => {
    await using bus = await startRaw();
    const sender = await bus.raw.sender({ target: { address: 'q' } });
    for (const [bytes, format] of [
      [Buffer.from('no message at all'), 0],
      [Buffer.from([0x00, 0x53, 0x75, 0xa0, 200, 1]), 0],
      [Buffer.alloc(0), 0],
      [Buffer.from([0x00, 0x53, 0x70, 0x45]), 0],
      [Buffer.from([0x00, 0x53, 0x75, 0xa0, 3, 1, 2, 3]), 0x80013700],
    ] as const) {
      const delivery = sender.send(bytes, undefined, format);
      await once(sender, 'rejected');
      expect(delivery.remote_state).toMatchObject({ error: { condition: 'amqp:decode-error' } });
    }
    sender.send({ body: 'fine' });
    await once(sender, 'accepted');
    expect(bus.queue.messages()).toMatchObject([{ body: 'fine' }]);
  });

  it.concurrent('refuses transactions clearly', async () => {
    await using bus = await startRaw();
    const coordinator = types.described(types.wrap_ulong(0x30), types.wrap_list([])) as unknown;
    const session = (bus.raw.connection as unknown as { create_session(): never }).create_session() as {
      begin(): void;
      create_sender(name: string): Receiver & { local: { attach: { target: unknown } }; attach(): void };
    };
    session.begin();
    const link = session.create_sender('transactions');
    link.local.attach.target = coordinator;
    link.attach();
    await once(link, 'sender_error');
    expect(link.error).toMatchObject({
      condition: 'amqp:not-implemented',
      description: 'Transactions are not supported.',
    });
  });
});

describe.concurrent('receiving', () => {
  it.concurrent('echoes the modes of settling', async () => {
    await using bus = await startRaw();
    const { receiver } = await peekLockReceiver(bus.raw);
    expect(receiver).toMatchObject({ snd_settle_mode: 0, rcv_settle_mode: 1, source: { address: 'q' } });
    const deleting = await peekLockReceiver(bus.raw, { snd_settle_mode: 1, rcv_settle_mode: 0 });
    expect(deleting.receiver).toMatchObject({ snd_settle_mode: 1, rcv_settle_mode: 0 });
  });

  it.concurrent('sends settled what is received and deleted', async () => {
    await using bus = await startRaw();
    await bus.client().createSender('q').sendMessages({ body: 1 });
    const { next } = await peekLockReceiver(bus.raw, { snd_settle_mode: 1, rcv_settle_mode: 0 });
    expect((await next()).delivery.remote_settled).toBe(true);
    expect(bus.queue.active).toBe(0);
  });

  it.concurrent('annotates a delivery, with the lock token as its tag in .NET order', async () => {
    await using bus = await startRaw();
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    const { next } = await peekLockReceiver(bus.raw);
    const { message, delivery } = await next();
    expect(message.message_annotations).toEqual({
      'x-opt-sequence-number': 1,
      'x-opt-enqueued-time': expect.any(Date) as Date,
      'x-opt-locked-until': expect.any(Date) as Date,
      'x-opt-message-state': 0,
    });
    expect(message['delivery_count']).toBe(0);
    const tag = Buffer.from(delivery.tag);
    expect(tag).toHaveLength(16);
    await bus.raw.putToken('q/$management');
    const renew = (token: Buffer) => bus.raw.manage('q', 'renew-lock', { 'lock-tokens': lockTokens(token) });
    expect(statusOf(await renew(lockTokenBytes(delivery))).code).toBe(200);
    expect(statusOf(await renew(tag))).toEqual({ code: 410, condition: 'com.microsoft:message-lock-lost' });
  });

  it.concurrent('answers a drain, with messages first and without any', async () => {
    await using bus = await startRaw();
    const { receiver, received } = await peekLockReceiver(bus.raw);
    receiver.add_credit(10);
    receiver.drain_credit();
    await once(receiver, 'receiver_drained');
    receiver.drain = false;
    await bus
      .client()
      .createSender('q')
      .sendMessages([{ body: 1 }, { body: 2 }]);
    receiver.add_credit(10);
    receiver.drain_credit();
    await once(receiver, 'receiver_drained');
    expect(received).toHaveLength(2);
    expect((receiver as unknown as { credit: number }).credit).toBe(0);
  });

  it.concurrent('answers a drain that comes when the credit has just been used up', async () => {
    await using bus = await startRaw();
    const { receiver, received } = await peekLockReceiver(bus.raw);
    await bus.client().createSender('q').sendMessages({ body: 1 });
    receiver.add_credit(1);
    // Both flows are on their way before the message is.
    await new Promise((resolve) => process.nextTick(resolve));
    receiver.drain_credit();
    await once(receiver, 'receiver_drained');
    expect(received).toHaveLength(1);
  });

  it.concurrent('sends no more than there is credit for', async () => {
    await using bus = await startRaw();
    await bus
      .client()
      .createSender('q')
      .sendMessages(Array.from({ length: 10 }, (_, body) => ({ body })));
    const { receiver, received } = await peekLockReceiver(bus.raw);
    receiver.add_credit(3);
    await until(() => received.length === 3);
    expect(bus.queue.messages().filter(({ locked }) => locked)).toHaveLength(3);
    receiver.add_credit(4);
    await until(() => received.length === 7);
    expect(bus.queue.messages().filter(({ locked }) => locked)).toHaveLength(7);
  });

  it.concurrent('settles every outcome, with an error only on failure', async () => {
    await using bus = await startRaw({ lockDurationSeconds: 30 });
    await bus
      .client()
      .createSender('q')
      .sendMessages([1, 2, 3, 4, 5].map((body) => ({ body })));
    const { next } = await peekLockReceiver(bus.raw);
    const [complete, release, abandon, defer, deadLetter] = [
      await next(),
      await next(),
      await next(),
      await next(),
      await next(),
    ];
    const state = await settled(complete.delivery, () => complete.delivery.accept());
    expect(state.error).toBeUndefined();
    expect(complete.delivery.remote_settled).toBe(true);
    await settled(abandon.delivery, () => abandon.delivery.modified({ undeliverable_here: false }));
    await settled(defer.delivery, () => defer.delivery.modified({ undeliverable_here: true }));
    await settled(deadLetter.delivery, () => deadLetter.delivery.reject({ condition: 'com.microsoft:dead-letter' }));
    await settled(release.delivery, () => release.delivery.release());
    expect(bus.queue.messages()).toMatchObject([
      { body: 2, deliveryCount: 0, state: 'active', locked: false },
      { body: 3, deliveryCount: 1, state: 'active', locked: false },
      { body: 4, state: 'deferred' },
    ]);
    expect(bus.queue.deadLetters()).toMatchObject([{ body: 5 }]);
  });

  it.concurrent('answers a settlement after the lock with the reason', async () => {
    await using bus = await startRaw({ lockDurationSeconds: 0.2 });
    await bus.client().createSender('q').sendMessages({ body: 1 });
    const { next } = await peekLockReceiver(bus.raw);
    const { delivery } = await next();
    await until(() => bus.queue.messages()[0]?.locked === false);
    const state = await settled(delivery, () => delivery.accept());
    expect(state).toMatchObject({ error: { condition: 'com.microsoft:message-lock-lost' } });
  });

  it.concurrent('goes on after 2,047 messages while one is held, once that is settled', async () => {
    await using bus = await startRaw({ lockDurationSeconds: 60 });
    const sender = bus.client().createSender('q');
    for (let batchNumber = 0; batchNumber < 3; batchNumber++)
      await sender.sendMessages(Array.from({ length: 1000 }, () => ({ body: 0 })));
    const { receiver, received } = await peekLockReceiver(bus.raw);
    receiver.add_credit(3000);
    receiver.on('settled', ({ delivery }: EventContext) => delivery?.update(true, undefined));
    await until(() => received.length > 0);
    let accepted = 1;
    const acceptRest = () => {
      for (; accepted < received.length; accepted++) received[accepted]?.delivery.accept();
    };
    await until(() => {
      acceptRest();
      return bus.queue.active <= 3000 - 2046;
    });
    const held = received[0]?.delivery;
    held?.accept();
    await until(() => {
      acceptRest();
      return bus.queue.active === 0;
    });
    expect(received).toHaveLength(3000);
  });
});

describe.concurrent('sessions', () => {
  it.concurrent('fill in the filter and the end of the lock in ticks', async () => {
    await using bus = await startRaw({ requiresSession: true, lockDurationSeconds: 30 });
    await bus.client().createSender('q').sendMessages({ body: 1, sessionId: 'a' });
    const { receiver } = await peekLockReceiver(bus.raw, {
      source: { address: 'q', filter: { [sessionFilter]: null } },
    });
    expect(receiver.source.filter).toEqual({ [sessionFilter]: 'a' });
    const ticks =
      (receiver.properties as Record<string, Buffer>)['com.microsoft:locked-until-utc']?.readBigInt64BE() ?? 0n;
    const milliseconds = Number((ticks - 621_355_968_000_000_000n) / 10_000n) - Date.now();
    expect(milliseconds).toBeGreaterThan(25_000);
    expect(milliseconds).toBeLessThanOrEqual(30_000);
  });

  it.concurrent('withhold the attach until there is one, or detach after the time that the client gives', async () => {
    await using bus = await startRaw({ requiresSession: true });
    const source = { address: 'q', filter: { [sessionFilter]: null } };
    const started = Date.now();
    await expect(
      peekLockReceiver(bus.raw, { source, properties: { 'com.microsoft:timeout': 200 } }),
    ).rejects.toMatchObject({ condition: 'com.microsoft:timeout' });
    expect(Date.now() - started).toBeGreaterThanOrEqual(195);
    let attached = false;
    const waiting = peekLockReceiver(bus.raw, { source }).then((receiver) => {
      attached = true;
      return receiver;
    });
    await bus
      .client()
      .createReceiver('q')
      .peekMessages(1)
      .catch(() => undefined);
    expect(attached).toBe(false);
    await bus.client().createSender('q').sendMessages({ body: 1, sessionId: 'late' });
    expect((await waiting).receiver.source.filter).toEqual({ [sessionFilter]: 'late' });
  });

  it.concurrent('let a client go that stops waiting', async () => {
    await using bus = await startRaw({ requiresSession: true });
    const source = { address: 'q', filter: { [sessionFilter]: null } };
    const link = bus.raw.connection.open_receiver({ source });
    await bus.raw.putToken('q');
    const closed = once(link, 'receiver_close');
    link.close();
    await closed;
    // The connection lives on, and the link takes nothing any more.
    expect(await bus.raw.putToken('q')).toBe(202);
    await bus.client().createSender('q').sendMessages({ body: 1, sessionId: 'a' });
    expect((await bus.client().acceptNextSession('q')).sessionId).toBe('a');
  });

  it.concurrent('end with the AMQP session of their link', async () => {
    await using bus = await startRaw({ requiresSession: true });
    const session = (bus.raw.connection as unknown as { create_session(): Receiver['session'] }).create_session();
    session.begin();
    const link = session.open_receiver({ source: { address: 'q', filter: { [sessionFilter]: 'a' } } as never });
    await once(link, 'receiver_open');
    const closed = once(session, 'session_close');
    session.close();
    await closed;
    expect((await bus.client().acceptSession('q', 'a')).sessionId).toBe('a');
  });
});
