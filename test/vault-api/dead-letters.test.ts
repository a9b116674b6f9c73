import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { mostDeadLetters } from '../../src/dead-letters.ts';
import { KeyfleetError } from '../../src/errors.ts';
import type { BuriedMessage } from '../../src/messaging/dead-letter.ts';
import { encodeCheck, encodeWakeUp } from '../../src/messaging/wake-up.ts';
import { createMemoryDeadLetters, type MemoryDeadLetters } from '../support/memory-dead-letters.ts';
import { createHarness, type Harness, sampleMount } from './support/harness.ts';
import { createMemoryMountStore } from './support/memory-stores.ts';
import { createSampleEngine } from './support/sample-engine.ts';

const enqueuedTime = new Date('2026-02-28T09:30:00.000Z');
const ourText = (key: string, mount = sampleMount().uuid) =>
  JSON.stringify(encodeWakeUp({ mount, key, provider: 'europe' }));

function letter(sequenceNumber: number, text: string): BuriedMessage {
  return {
    sequenceNumber: String(sequenceNumber),
    sessionId: 'session',
    reason: 'MaxDeliveryCountExceeded',
    description: 'Message could not be consumed after 5 delivery attempts.',
    deliveryCount: 5,
    enqueuedTime,
    body: { type: 'data', bytes: Buffer.from(text) },
  };
}

const path = '/v1/sys/dead-letters';
let letters: MemoryDeadLetters;
let harness: Harness;

async function open(): Promise<void> {
  harness = await createHarness({
    engines: [createSampleEngine()],
    mounts: createMemoryMountStore([sampleMount()]),
    deadLetters: letters,
  });
}

beforeEach(async () => {
  letters = createMemoryDeadLetters([
    letter(7, ourText('payments')),
    letter(12, 'password=hunter2'),
    letter(13, ourText('ledger', 'gone-mount')),
  ]);
  await open();
});

const idsLeft = () => letters.buried.map(({ sequenceNumber }) => sequenceNumber);
const common = {
  reason: 'MaxDeliveryCountExceeded',
  description: 'Message could not be consumed after 5 delivery attempts.',
  delivery_count: 5,
  enqueued_time: '2026-02-28T09:30:00.000Z',
};
const about = {
  foreign: false,
  mount: 'keymgmt/',
  mount_uuid: sampleMount().uuid,
  key: 'payments',
  provider: 'europe',
};

describe('a list', () => {
  test.each([
    ['LIST', path],
    ['GET', `${path}?list=true`],
    ['LIST', `${path}/`],
  ])('by %s %s tells of each what it is about', async (method, target) => {
    const { status, json } = await harness.call(method, target);
    expect(status).toBe(200);
    expect(json).toMatchObject({ warnings: null, mount_type: 'system' });
    expect(json.data).toEqual({
      keys: ['12', '13', '7'],
      key_info: {
        '7': { ...common, ...about },
        '12': { ...common, foreign: true },
        '13': { ...common, ...about, mount: '', mount_uuid: 'gone-mount', key: 'ledger' },
      },
    });
  });

  test('tells of a letter about all of a provider no key', async () => {
    const check = JSON.stringify(encodeCheck({ mount: sampleMount().uuid, provider: 'europe' }));
    letters.buried.splice(0, 3, letter(20, check));
    const { key: _key, ...withoutKey } = about;
    expect((await harness.call('LIST', path)).json.data).toEqual({
      keys: ['20'],
      key_info: { '20': { ...common, ...withoutKey } },
    });
  });

  test('of none is a 404', async () => {
    letters.buried.splice(0);
    expect(await harness.call('LIST', path)).toMatchObject({ status: 404, json: { errors: [] } });
  });

  test('ends at a bound, and says so', async () => {
    letters = createMemoryDeadLetters(
      Array.from({ length: mostDeadLetters + 1 }, (_, index) => letter(index + 1, ourText('a'))),
    );
    await open();
    const { json } = await harness.call('LIST', path);
    expect((json.data as { keys: string[] }).keys).toHaveLength(mostDeadLetters);
    expect(json.warnings).toEqual([expect.stringMatching(/more than the oldest 256/)]);
    for (const method of ['GET', 'DELETE']) {
      const beyond = await harness.call(method, `${path}/${mostDeadLetters + 1}`);
      expect(beyond).toMatchObject({
        status: 400,
        json: { errors: [expect.stringMatching(/not among the oldest 256/)] },
      });
    }
    expect(letters.buried).toHaveLength(mostDeadLetters + 1);
  });
});

describe('one letter', () => {
  test('of ours is shown with its body', async () => {
    const { status, json } = await harness.call('GET', `${path}/7`);
    expect(status).toBe(200);
    expect(json.data).toEqual({ id: '7', ...common, ...about, body: ourText('payments') });
  });

  test('of somebody else is shown by size and hash', async () => {
    const { json, body } = await harness.call('GET', `${path}/12`);
    expect(json.data).toMatchObject({
      id: '12',
      foreign: true,
      body_size: 16,
      body_sha256: createHash('sha256').update('password=hunter2').digest('hex'),
    });
    expect(body).not.toContain('hunter2');
  });

  test.each(['8', '70', '07', 'x', '9'.repeat(40)])('%s is not there', async (id) => {
    expect(await harness.call('GET', `${path}/${id}`)).toMatchObject({ status: 404, json: { errors: [] } });
    for (const [method, target] of [
      ['DELETE', `${path}/${id}`],
      ['POST', `${path}/${id}/replay`],
    ] as const) {
      const errors = [`there is no dead letter "${id}"`];
      expect(await harness.call(method, target)).toMatchObject({ status: 404, json: { errors } });
    }
    expect(idsLeft()).toEqual(['7', '12', '13']);
  });
});

describe('a replay', () => {
  test('sends one of ours again, the very same, and it is dead no more', async () => {
    const { status, body } = await harness.call('POST', `${path}/7/replay`);
    expect({ status, body }).toEqual({ status: 204, body: undefined });
    expect(letters.replayed).toEqual([{ sessionId: 'session', body: Buffer.from(ourText('payments')) }]);
    expect(idsLeft()).toEqual(['12', '13']);
    expect((await harness.call('POST', `${path}/7/replay`)).status).toBe(404);
  });

  test('of what is not ours is refused', async () => {
    const { status, json } = await harness.call('PUT', `${path}/12/replay`);
    expect(status).toBe(400);
    expect(json.errors).toEqual(['dead letter "12" is not a message of this service: it can be dropped, not replayed']);
    expect(letters.replayed).toEqual([]);
    expect(idsLeft()).toEqual(['7', '12', '13']);
  });

  test('of all takes ours and leaves the others', async () => {
    const { status, json } = await harness.call('POST', `${path}/all/replay`);
    expect(status).toBe(200);
    expect(json.data).toEqual({ replayed: 2, left: 1, more: false });
    expect(letters.replayed).toHaveLength(2);
    expect(idsLeft()).toEqual(['12']);
    expect((await harness.call('POST', `${path}/all/replay`)).json.data).toEqual({ replayed: 0, left: 1, more: false });
  });
});

describe('a removal', () => {
  test.each(['7', '12'])('of %s takes it alone', async (id) => {
    expect((await harness.call('DELETE', `${path}/${id}`)).status).toBe(204);
    expect(idsLeft()).toEqual(['7', '12', '13'].filter((one) => one !== id));
    expect(letters.replayed).toEqual([]);
  });

  test('of all takes those that are listed', async () => {
    expect((await harness.call('DELETE', `${path}/all`)).json.data).toEqual({ dropped: 3, left: 0, more: false });
    expect(idsLeft()).toEqual([]);
  });
});

test('what somebody else holds is to be tried again', async () => {
  letters.held.add('7');
  for (const [method, target] of [
    ['DELETE', `${path}/7`],
    ['POST', `${path}/7/replay`],
  ] as const) {
    const { status, json } = await harness.call(method, target);
    expect(status).toBe(503);
    expect(json.errors).toEqual(['dead letter "7" is being handled by somebody else: try again']);
  }
  expect(idsLeft()).toHaveLength(3);
});

test('without Service Bus the answer is 503, and never that there is nothing', async () => {
  const fail = async () => {
    throw new KeyfleetError('unavailable', 'Service Bus did not give access to the dead letters: try again');
  };
  Object.assign(letters, { list: fail, replay: fail, drop: fail });
  for (const [method, target] of [
    ['LIST', path],
    ['GET', `${path}/7`],
    ['DELETE', `${path}/7`],
    ['DELETE', `${path}/all`],
    ['POST', `${path}/7/replay`],
    ['POST', `${path}/all/replay`],
  ] as const) {
    const { status, json } = await harness.call(method, target);
    expect(status, `${method} ${target}`).toBe(503);
    expect(json.errors).toEqual(['Service Bus did not give access to the dead letters: try again']);
  }
});

describe('who may', () => {
  const every = 'capabilities = ["create", "read", "update", "delete", "list"]';
  async function ask(policy: string, method: string, target: string): Promise<number> {
    await harness.call('PUT', '/v1/sys/policies/acl/some', { body: { policy } });
    await harness.putToken('hvs.some', { policies: ['some'], accessor: 'some' });
    return (await harness.call(method, target, { token: 'hvs.some' })).status;
  }
  const requests: [method: string, target: string][] = [
    ['LIST', path],
    ['LIST', `${path}/`],
    ['GET', `${path}?list=true`],
    ['GET', `${path}/12`],
    ['POST', `${path}/7/replay`],
    ['DELETE', `${path}/12`],
    ['POST', `${path}/all/replay`],
  ];

  test.each(requests)('%s %s needs sudo beside the operation', async (method, target) => {
    expect(await ask(`path "sys/dead-letters*" { ${every} }`, method, target)).toBe(403);
    expect(await ask(`path "*" { ${every} }`, method, target)).toBe(403);
    expect(await ask('path "sys/dead-letters*" { capabilities = ["sudo"] }', method, target)).toBe(403);
    const elsewhere = 'path "sys/mounts*" { capabilities = ["sudo", "read", "update", "delete", "list"] }';
    expect(await ask(elsewhere, method, target)).toBe(403);
    expect(letters.buried).toHaveLength(3);
    const operator = `path "sys/dead-letters*" { ${every.replace('"create"', '"create", "sudo"')} }`;
    expect(await ask(operator, method, target)).toBeOneOf([200, 204]);
  });

  test('the rule for a list may leave its last slash out, as for any other', async () => {
    const policy = 'path "sys/dead-letters" { capabilities = ["list", "sudo"] }';
    expect(await ask(policy, 'LIST', path)).toBe(200);
    expect(await ask(policy, 'GET', `${path}/7`)).toBe(403);
  });

  test.each(['key-operator', 'secrets-operator', 'signer', 'auditor', 'reader'])(
    'not the built-in %s',
    async (role) => {
      await harness.putToken('hvs.role', { policies: ['default', `keyfleet-${role}`], accessor: role });
      for (const [method, target] of requests) {
        expect((await harness.call(method, target, { token: 'hvs.role' })).status).toBe(403);
      }
    },
  );

  test('moving a mount is protected in the same way', async () => {
    const body = { from: 'keymgmt', to: 'other' };
    await harness.putToken('hvs.some', { policies: ['some'], accessor: 'some' });
    const move = async (capabilities: string) => {
      const policy = `path "sys/remount" { capabilities = [${capabilities}] }`;
      await harness.call('PUT', '/v1/sys/policies/acl/some', { body: { policy } });
      return (await harness.call('POST', '/v1/sys/remount', { token: 'hvs.some', body })).status;
    };
    expect(await move('"update"')).toBe(403);
    expect(await move('"update", "sudo"')).toBe(200);
  });
});
