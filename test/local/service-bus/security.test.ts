import type { TokenCredential } from '@azure/identity';
import { UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { TokenRejected } from '../../../src/local/principals.ts';
import { codeOf, credentialOf, receiveOne, startBus, until, verifyByName } from './harness.ts';
import { connectRaw, statusOf } from './raw-client.ts';

/** A token that says itself when it expires, for a verifier that believes everything. */
const expiringToken = (seconds: number) => new UnsecuredJWT({ exp: Date.now() / 1000 + seconds }).encode();
const believeAll = async () => ({ tenantId: 'tenant', objectId: 'object', clientId: 'app' });

describe.concurrent('tokens', () => {
  it.concurrent('are asked of the credential for Service Bus, and checked for its audience', async () => {
    const audiences: string[] = [];
    const scopes: string[] = [];
    await using bus = await startBus({
      queues: [{ name: 'q' }],
      verify: (token, audience) => {
        audiences.push(audience);
        return verifyByName(token, audience);
      },
    });
    await bus
      .client({ credential: credentialOf('app', scopes) })
      .createSender('q')
      .sendMessages({ body: 1 });
    expect(scopes).toEqual(['https://servicebus.azure.net//.default']);
    expect(audiences).toEqual(['https://servicebus.azure.net']);
  });

  it.concurrent('may be issued for the audience with a slash at its end, as the scope has it', async () => {
    await using bus = await startBus({
      queues: [{ name: 'q' }],
      verify: async (token, audience) => {
        if (audience !== 'https://servicebus.azure.net/') throw new TokenRejected('audience', 'for another audience');
        return verifyByName(token, audience);
      },
    });
    await bus.client().createSender('q').sendMessages({ body: 1 });
    expect(bus.broker.queue('q').active).toBe(1);
  });

  it.concurrent('that the verifier rejects open nothing', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    const forged: TokenCredential = {
      getToken: async () => ({ token: 'forged', expiresOnTimestamp: Date.now() + 3_600_000 }),
    };
    const client = bus.client({ credential: forged });
    expect(await codeOf(client.createSender('q').sendMessages({ body: 1 }))).toBe('UnauthorizedAccess');
    expect(await codeOf(client.createReceiver('q').receiveMessages(1))).toBe('UnauthorizedAccess');
    expect(await codeOf(client.createReceiver('q').peekMessages(1))).toBe('UnauthorizedAccess');
    expect(bus.broker.queue('q').active).toBe(0);
  });

  it.concurrent('for another audience are refused', async () => {
    await using bus = await startBus({
      queues: [{ name: 'q' }],
      verify: async () => Promise.reject(new TokenRejected('audience', 'for another audience')),
    });
    expect(await codeOf(bus.client().createSender('q').sendMessages({ body: 1 }))).toBe('UnauthorizedAccess');
  });

  it.concurrent('of the kind made from shared keys are refused', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    await using raw = await connectRaw(bus.broker.port);
    expect(await raw.putToken('q', 'SharedAccessSignature sr=x', 'servicebus.windows.net:sastoken')).toBe(401);
    expect(await raw.putToken('q', 'token-app')).toBe(202);
  });

  it.concurrent('open only the entity that they were put for', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }, { name: 'other' }, { name: 'q2' }] });
    await using raw = await connectRaw(bus.broker.port);
    expect(await raw.putToken('q')).toBe(202);
    await raw.sender({ target: { address: 'q' } });
    await raw.receiver({ source: { address: 'q/$DeadLetterQueue' } });
    for (const address of ['other', 'q2']) {
      await expect(raw.sender({ target: { address } })).rejects.toMatchObject({
        condition: 'amqp:unauthorized-access',
      });
      await expect(raw.receiver({ source: { address } })).rejects.toMatchObject({
        condition: 'amqp:unauthorized-access',
      });
      await expect(raw.sender({ target: { address: `${address}/$management` } })).rejects.toMatchObject({
        condition: 'amqp:unauthorized-access',
      });
    }
    await expect(raw.receiver({ source: { address: 'other/$management' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
    expect(await raw.putToken('other/$management')).toBe(202);
    await expect(raw.sender({ target: { address: 'other' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
    expect(await raw.putToken('')).toBe(202);
    await expect(raw.sender({ target: { address: 'q2' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
  });

  it.concurrent('open nothing on any other connection', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }] });
    await using first = await connectRaw(bus.broker.port);
    await using second = await connectRaw(bus.broker.port);
    await first.putToken('q');
    await expect(second.sender({ target: { address: 'q' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
  });

  it.concurrent('that expire close what they opened', async () => {
    await using bus = await startBus({
      queues: [{ name: 'q' }, { name: 's', requiresSession: true }],
      verify: believeAll,
    });
    await using raw = await connectRaw(bus.broker.port);
    const token = expiringToken(1);
    await raw.putToken('q', token);
    await raw.putToken('s', token);
    await raw.putToken('q/$management', expiringToken(3600));
    const sender = await raw.sender({ target: { address: 'q' } });
    // An attach that is being waited for has to be answered, too.
    const waiting = raw.receiver({
      source: { address: 's', filter: { 'com.microsoft:session-filter': null } } as never,
    });
    const closed = new Promise<unknown>((resolve) => sender.on('sender_error', () => resolve(sender.error)));
    expect(await closed).toMatchObject({ condition: 'amqp:unauthorized-access' });
    await expect(waiting).rejects.toMatchObject({ condition: 'amqp:unauthorized-access' });
    await expect(raw.sender({ target: { address: 'q' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
    expect(
      statusOf(await raw.manage('q', 'peek-message', { 'from-sequence-number': 1, 'message-count': 1 })).code,
    ).toBe(204);
    expect(raw.connection.is_open()).toBe(true);
  });

  it.concurrent('that are put again in time keep the links open', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }], verify: believeAll });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q', expiringToken(1));
    const sender = await raw.sender({ target: { address: 'q' } });
    await raw.putToken('q', expiringToken(3600));
    const until1 = Date.now() + 1200;
    await until(() => Date.now() > until1);
    expect(sender.is_open()).toBe(true);
  });

  it.concurrent('that have expired already open nothing', async () => {
    await using bus = await startBus({ queues: [{ name: 'q' }], verify: believeAll });
    await using raw = await connectRaw(bus.broker.port);
    await raw.putToken('q', expiringToken(-10));
    await expect(raw.sender({ target: { address: 'q' } })).rejects.toMatchObject({
      condition: 'amqp:unauthorized-access',
    });
  });
});

describe.concurrent('permissions', () => {
  it.concurrent('are asked for by principal, entity and right', async () => {
    const asked = new Set<string>();
    await using bus = await startBus({
      queues: [{ name: 'q' }],
      topics: [{ name: 't', subscriptions: [{ name: 'one' }] }],
      authorize({ clientId }, entity, right) {
        asked.add(`${clientId} ${entity} ${right}`);
        return true;
      },
    });
    const client = bus.client();
    await client.createSender('q').sendMessages({ body: 1 });
    await client.createReceiver('q', { subQueueType: 'deadLetter' }).receiveMessages(1, { maxWaitTimeInMs: 1 });
    await client.createSender('t').scheduleMessages({ body: 1 }, new Date(Date.now() + 60_000));
    await client.createReceiver('t', 'one').peekMessages(1);
    expect([...asked].sort()).toEqual(['app q listen', 'app q send', 'app t send', 'app t/Subscriptions/one listen']);
  });

  it.concurrent('to send do not permit to listen, nor the other way round', async () => {
    await using bus = await startBus({
      queues: [{ name: 'q' }],
      authorize: ({ clientId }, _entity, right) => (clientId === 'sender' ? right === 'send' : right === 'listen'),
    });
    const sending = bus.client({ credential: credentialOf('sender') });
    const listening = bus.client({ credential: credentialOf('listener') });
    await sending.createSender('q').sendMessages({ body: 1 });
    const scheduled = await sending.createSender('q').scheduleMessages({ body: 2 }, new Date(Date.now() + 60_000));
    expect(await codeOf(sending.createReceiver('q').receiveMessages(1))).toBe('UnauthorizedAccess');
    expect(await codeOf(sending.createReceiver('q').peekMessages(1))).toBe('UnauthorizedAccess');
    expect((await receiveOne(listening.createReceiver('q'))).body).toBe(1);
    expect(await listening.createReceiver('q').peekMessages(1)).toHaveLength(1);
    expect(await codeOf(listening.createSender('q').sendMessages({ body: 3 }))).toBe('UnauthorizedAccess');
    expect(await codeOf(listening.createSender('q').scheduleMessages({ body: 3 }, new Date(Date.now() + 60_000)))).toBe(
      'UnauthorizedAccess',
    );
    expect(await codeOf(listening.createSender('q').cancelScheduledMessages(scheduled))).toBe('UnauthorizedAccess');
    expect(bus.broker.queue('q')).toMatchObject({ active: 1, scheduled: 1 });
  });
});
