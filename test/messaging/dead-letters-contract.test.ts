import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AmqpAnnotatedMessage } from '@azure/core-amqp';
import { mostDeadLetters, type DeadLetters } from '../../src/dead-letters.ts';
import { queues } from '../../src/local/platform/queues.ts';
import { createDeadLetters } from '../../src/messaging/dead-letters.ts';
import { distributionQueue, encodeCheck, encodeWakeUp, sessionIdOf } from '../../src/messaging/wake-up.ts';
import { credentialOf, receiveOne, startBus, type Bus } from '../local/service-bus/harness.ts';
import { createMemoryDeadLetters } from '../support/memory-dead-letters.ts';

const reference = { mount: 'ac6c7a9e-0001', key: 'payments', provider: 'europe' };
const session = sessionIdOf(reference);
const text = JSON.stringify(encodeWakeUp(reference));

type Body = { type: 'data'; bytes: Buffer } | { type: 'value' | 'sequence'; value: unknown };
const data = (content: string | Buffer): Body => ({ type: 'data', bytes: Buffer.from(content) });
const ours = data(text);

/** The dead letters, and what can be done to them past their interface. */
interface Cemetery {
  deadLetters: DeadLetters;
  /** @returns the id */
  bury(body: Body, why?: { reason: string; description: string }): Promise<string>;
  /** Buries so many of ours at once. @returns their ids, the oldest first */
  buryMany(count: number): Promise<string[]>;
  /** What was sent again since this was last asked. */
  takeReplayed(): Promise<{ sessionId: string | undefined; body: Buffer }[]>;
  /** As if somebody were dealing with all there are, until what is returned is called. */
  holdAll(): Promise<() => Promise<void>>;
  clear(): Promise<void>;
}

function inMemory(): Cemetery {
  const deadLetters = createMemoryDeadLetters();
  const { buried, replayed, held } = deadLetters;
  let last = 0;
  async function bury(body: Body, why?: { reason: string; description: string }): Promise<string> {
    const sequenceNumber = String(++last);
    buried.push({
      sequenceNumber,
      sessionId: session,
      reason: why?.reason,
      description: why?.description,
      deliveryCount: 0,
      enqueuedTime: new Date(),
      body: body.type === 'data' ? body : { type: 'other', value: body.value },
    });
    return sequenceNumber;
  }
  return {
    deadLetters,
    bury,
    buryMany: (count) => Promise.all(Array.from({ length: count }, () => bury(ours))),
    takeReplayed: async () => replayed.splice(0),
    async holdAll() {
      for (const { sequenceNumber } of buried) held.add(sequenceNumber);
      return async () => held.clear();
    },
    clear: async () => void buried.splice(0),
  };
}

function overTheBroker(bus: Bus): Cemetery {
  const client = bus.client();
  const sender = client.createSender(distributionQueue);
  const queue = bus.broker.queue(distributionQueue);
  return {
    deadLetters: createDeadLetters({
      fullyQualifiedNamespace: `localhost:${bus.broker.port}`,
      credential: credentialOf('app'),
    }),
    async bury(body, why) {
      const content = body.type === 'data' ? body.bytes : body.value;
      const message: AmqpAnnotatedMessage = {
        bodyType: body.type,
        body: content,
        properties: { groupId: session, contentType: 'application/json' },
      };
      await sender.sendMessages(message);
      const receiver = await client.acceptSession(distributionQueue, session);
      await receiver.deadLetterMessage(await receiveOne(receiver), {
        deadLetterReason: why?.reason ?? '',
        deadLetterErrorDescription: why?.description ?? '',
      });
      await receiver.close();
      return String(queue.deadLetters().at(-1)?.sequenceNumber);
    },
    async buryMany(count) {
      const { bytes } = ours as { bytes: Buffer };
      await sender.sendMessages(Array.from({ length: count }, () => ({ body: bytes, sessionId: session })));
      const receiver = await client.acceptSession(distributionQueue, session);
      while (queue.active > 0) {
        for (const message of await receiver.receiveMessages(queue.active)) await receiver.deadLetterMessage(message);
      }
      await receiver.close();
      return queue
        .deadLetters()
        .slice(-count)
        .map(({ sequenceNumber }) => String(sequenceNumber));
    },
    async takeReplayed() {
      const taken: { sessionId: string | undefined; body: Buffer }[] = [];
      while (queue.active > 0) {
        const receiver = await client.acceptNextSession(distributionQueue, { skipParsingBodyAsJson: true });
        const message = await receiveOne(receiver);
        taken.push({ sessionId: message.sessionId, body: message.body as Buffer });
        await receiver.completeMessage(message);
        await receiver.close();
      }
      return taken;
    },
    async holdAll() {
      const receiver = client.createReceiver(distributionQueue, { subQueueType: 'deadLetter' });
      const messages = await receiver.receiveMessages(queue.deadLettered);
      return async () => {
        for (const message of messages) await receiver.abandonMessage(message);
        await receiver.close();
      };
    },
    async clear() {
      const receiver = client.createReceiver(distributionQueue, {
        subQueueType: 'deadLetter',
        receiveMode: 'receiveAndDelete',
      });
      while (queue.deadLettered > 0) await receiver.receiveMessages(queue.deadLettered);
      await receiver.close();
    },
  };
}

let bus: Bus;
const twin = inMemory();
let real: Cemetery;

beforeAll(async () => {
  bus = await startBus({ queues });
  real = overTheBroker(bus);
});
afterAll(() => bus[Symbol.asyncDispose]());

describe.each<[string, () => Cemetery]>([
  ['over the broker', () => real],
  ['in memory', () => twin],
])('the dead letters, %s', (_name, cemetery) => {
  beforeEach(() => cemetery().clear());
  const deadLetters = () => cemetery().deadLetters;
  const idsLeft = async () => (await deadLetters().list()).letters.map(({ id }) => id);

  it('are none at first', async () => {
    expect(await deadLetters().list()).toEqual({ letters: [], more: false });
    expect(await deadLetters().drop(['1'])).toEqual([]);
    expect(await deadLetters().replay(['1'])).toEqual([]);
  });

  it('of ours tell what they are about, why they are here and since when', async () => {
    const before = Date.now();
    const id = await cemetery().bury(ours, { reason: 'why', description: 'because' });
    const { letters, more } = await deadLetters().list();
    expect(more).toBe(false);
    expect(letters).toEqual([
      {
        id,
        reason: 'why',
        description: 'because',
        deliveryCount: expect.any(Number) as number,
        enqueuedTime: expect.any(Date) as Date,
        content: { kind: 'ours', body: text, ...reference },
      },
    ]);
    expect(Math.abs((letters[0]?.enqueuedTime.getTime() ?? 0) - before)).toBeLessThan(10_000);
  });

  it('of ours that are about all of a provider name no key, and are sent again like others', async () => {
    const check = JSON.stringify(encodeCheck(reference));
    const id = await cemetery().bury(data(check));
    expect((await deadLetters().list()).letters).toMatchObject([
      { id, content: { kind: 'ours', body: check, mount: reference.mount, key: undefined, provider: 'europe' } },
    ]);
    expect(await deadLetters().replay([id])).toEqual([id]);
    expect(await cemetery().takeReplayed()).toEqual([{ sessionId: session, body: Buffer.from(check) }]);
  });

  const foreign: [name: string, body: Body, bytes: string | Buffer][] = [
    ['a text', data('password=hunter2'), 'password=hunter2'],
    ['nothing', data(''), ''],
    ['bad UTF-8 in our own form', data(brokenUtf8()), brokenUtf8()],
    ['a byte order mark before ours', data(`\ufeff${text}`), `\ufeff${text}`],
    ['ours and more', data(text.replace('{', '{"more":1,')), text.replace('{', '{"more":1,')],
    ['ours as an AMQP value', { type: 'value', value: text }, JSON.stringify(text)],
    ['a sequence', { type: 'sequence', value: [['a', 1]] }, ''],
  ];
  it.each(foreign)(
    'that say %s are told by size and hash alone, and are not sent again',
    async (_what, body, bytes) => {
      const id = await cemetery().bury(body);
      const [letter] = (await deadLetters().list()).letters;
      expect(letter?.content.kind).toBe('foreign');
      expect(JSON.stringify(letter)).not.toContain('hunter2');
      if (bytes !== '' && letter?.content.kind === 'foreign') {
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        expect(letter.content).toEqual({ kind: 'foreign', sizeBytes: Buffer.byteLength(bytes), sha256 });
      }
      expect(await deadLetters().replay([id])).toEqual([]);
      expect(await cemetery().takeReplayed()).toEqual([]);
      expect(await idsLeft()).toEqual([id]);
    },
  );

  it('never say much: a long reason or body is cut', async () => {
    const long = { mount: 'm', key: 'k'.repeat(500), provider: 'p'.repeat(500) };
    await cemetery().bury(data(JSON.stringify(encodeWakeUp(long))), { reason: 'r'.repeat(900), description: 'd' });
    const [letter] = (await deadLetters().list()).letters;
    expect(letter?.reason).toHaveLength(401);
    expect(letter?.content).toMatchObject({ kind: 'ours', ...long });
    expect(letter?.content.kind === 'ours' && letter.content.body.length).toBe(401);
  });

  it('of ours are sent again as they were, in their session, and are gone then', async () => {
    const spaced = data(` ${text} `);
    const ids = [await cemetery().bury(data('x')), await cemetery().bury(spaced), await cemetery().bury(ours)];
    expect(await deadLetters().replay([ids[1] ?? ''])).toEqual([ids[1]]);
    expect(await cemetery().takeReplayed()).toEqual([{ sessionId: session, body: Buffer.from(` ${text} `) }]);
    expect(await idsLeft()).toEqual([ids[0], ids[2]]);
    expect(await deadLetters().replay(ids)).toEqual([ids[2]]);
    expect(await cemetery().takeReplayed()).toHaveLength(1);
    expect(await idsLeft()).toEqual([ids[0]]);
  });

  it('can be sent again and again: none is taken for a duplicate of the one before', async () => {
    for (let round = 0; round < 2; round++) {
      const id = await cemetery().bury(ours);
      expect(await deadLetters().replay([id])).toEqual([id]);
      expect(await cemetery().takeReplayed()).toHaveLength(1);
    }
  });

  it('can be dropped, those that are meant and no others', async () => {
    const ids = [await cemetery().bury(data('x')), await cemetery().bury(ours), await cemetery().bury(data('y'))];
    expect(await deadLetters().drop(['99999', ids[1] ?? ''])).toEqual([ids[1]]);
    expect(await idsLeft()).toEqual([ids[0], ids[2]]);
    expect(await deadLetters().drop(ids)).toEqual([ids[0], ids[2]]);
    expect(await idsLeft()).toEqual([]);
    expect(await cemetery().takeReplayed()).toEqual([]);
  });

  it('that somebody else holds are listed and left alone', async () => {
    const id = await cemetery().bury(ours);
    const release = await cemetery().holdAll();
    expect(await deadLetters().replay([id])).toEqual([]);
    expect(await deadLetters().drop([id])).toEqual([]);
    expect(await idsLeft()).toEqual([id]);
    await release();
    expect(await deadLetters().drop([id])).toEqual([id]);
  });

  it('are shown up to a bound, the oldest, and the others once there is room', { timeout: 30_000 }, async () => {
    const ids = await cemetery().buryMany(mostDeadLetters + 3);
    expect((await deadLetters().list()).more).toBe(true);
    expect(await idsLeft()).toEqual(ids.slice(0, mostDeadLetters));
    expect(await deadLetters().drop([ids.at(-1) ?? ''])).toEqual([]);
    expect(await deadLetters().drop(ids.slice(0, mostDeadLetters))).toHaveLength(mostDeadLetters);
    expect(await deadLetters().list()).toMatchObject({ letters: [{}, {}, {}], more: false });
  });
});

function brokenUtf8(): Buffer {
  return Buffer.concat([Buffer.from(text.slice(0, -12)), Buffer.from([0xff, 0xfe]), Buffer.from(text.slice(-12))]);
}

describe('cut short, sending again', () => {
  async function startBuried() {
    const own = await startBus({ queues });
    const cemetery = overTheBroker(own);
    const id = await cemetery.bury(ours);
    return { ...cemetery, id, faults: own.faults, [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() };
  }

  it('before it removes the letter, doubles the message and loses none', async () => {
    await using buried = await startBuried();
    buried.faults.add({ service: 'service-bus', operation: 'complete', fault: { kind: 'reset' }, times: 3 });
    await expect(buried.deadLetters.replay([buried.id])).rejects.toMatchObject({ code: 'unavailable' });
    buried.faults.clear();
    expect((await buried.deadLetters.list()).letters).toMatchObject([{ id: buried.id }]);
    expect(await buried.takeReplayed()).toEqual([{ sessionId: session, body: Buffer.from(text) }]);
  });

  it('by a refusal to send, removes none', async () => {
    await using buried = await startBuried();
    buried.faults.add({ service: 'service-bus', operation: 'send', fault: { kind: 'refuse' }, times: 5 });
    await expect(buried.deadLetters.replay([buried.id])).rejects.toMatchObject({ code: 'unavailable' });
    buried.faults.clear();
    expect(await buried.takeReplayed()).toEqual([]);
    expect(await buried.deadLetters.drop([buried.id])).toEqual([buried.id]);
  });
});

describe('Service Bus', () => {
  const lettersAt = (port: number) =>
    createDeadLetters({ fullyQualifiedNamespace: `localhost:${port}`, credential: credentialOf('app') });

  it('that is not there is told as unavailable', async () => {
    await expect(lettersAt(1).list()).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    await expect(lettersAt(1).drop(['1'])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('gives its dead letters to whoever may receive from the queue, and to nobody else', async () => {
    await using open = await startBus({
      queues,
      authorize: (_principal, entity, right) => entity === distributionQueue && right !== 'manage',
    });
    expect(await lettersAt(open.broker.port).list()).toEqual({ letters: [], more: false });
    await using closed = await startBus({ queues, authorize: () => false });
    await expect(lettersAt(closed.broker.port).list()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
