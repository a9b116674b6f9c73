import { ServiceBusClient, type ServiceBusSender } from '@azure/service-bus';
import type { AmqpAnnotatedMessage } from '@azure/core-amqp';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mostDeadLetters } from '../../src/dead-letters.ts';
import { sessionIdOf } from '../../src/messaging/wake-up.ts';
import type { FunctionsHost } from '../../src/local/functions-host/index.ts';
import { keymgmtAt, type Keymgmt } from '../support/keymgmt.ts';
import { poison, type Poison } from '../support/poison.ts';
import { runsOf } from '../support/runs.ts';
import { openState } from '../../src/local/open-state.ts';
import { eventually, mountUuid, providerFields, startService, type Service } from '../support/service.ts';

/*
 * What nobody could handle is put aside, stands in nobody's way, and can be looked at, sent again or dropped.
 */

const queue = 'distribution';
const provider = 'learn';

let service: Service;
let keymgmt: Keymgmt;
let bus: ServiceBusClient;
let sender: ServiceBusSender;
let mount: string;

beforeAll(async () => {
  // Nothing is woken by time here: what happens, happens by messages.
  service = await startService({
    platform: { vaults: [{ name: 'learn-keyvault', sku: 'premium' }] },
    settings: { KEYFLEET_WAIT_SECONDS: '0' },
    disabledFunctions: ['distribution', 'reconcile'],
  });
  bus = new ServiceBusClient(service.platform.serviceBus, service.platform.developer.credential);
  sender = bus.createSender(queue);
  await service.vault('POST', 'sys/mounts/team/keys', { type: 'keymgmt' });
  keymgmt = keymgmtAt(service, 'team/keys');
  mount = await mountUuid(openState(service.platform), 'team/keys/');
  await keymgmt.done('PUT', `kms/${provider}`, providerFields('learn-keyvault'));
});

afterAll(async () => {
  await bus.close();
  await service.stop();
});

beforeEach(async () => {
  while (inspected().deadLettered > 0) await service.vault('DELETE', 'sys/dead-letters/all');
});

const inspected = () => service.platform.broker.queue(queue);
/** Nothing for later either. */
const isEmpty = () => inspected().active + inspected().scheduled === 0;
const sessionOf = (key: string) => sessionIdOf({ mount, key, provider });
const path = (key: string) => `kms/${provider}/key/${key}`;
const arrived = async (key: string) => (await keymgmt.send('GET', path(key))).body.warnings === null;

async function withWorker<Result>(work: (worker: FunctionsHost) => Promise<Result>): Promise<Result> {
  const worker = await service.startHost({ disabledFunctions: ['reconcile'] });
  try {
    return await work(worker);
  } finally {
    await worker.stop();
  }
}

async function bury(...messages: { body: unknown; sessionId: string }[]): Promise<void> {
  const before = inspected().deadLettered;
  await sender.sendMessages(messages);
  for (const sessionId of new Set(messages.map((message) => message.sessionId))) {
    const receiver = await bus.acceptSession(queue, sessionId);
    const count = messages.filter((message) => message.sessionId === sessionId).length;
    for (let taken = 0; taken < count;) {
      for (const message of await receiver.receiveMessages(count - taken)) {
        await receiver.deadLetterMessage(message, { deadLetterReason: 'by hand', deadLetterErrorDescription: '' });
        taken++;
      }
    }
    await receiver.close();
  }
  expect(inspected().deadLettered).toBe(before + messages.length);
}

describe('poison among the messages', () => {
  function toMessage({ body, contentType }: Poison, sessionId: string): AmqpAnnotatedMessage {
    return {
      bodyType: body.type,
      body: body.type === 'data' ? body.bytes : body.value,
      properties: { groupId: sessionId, ...(contentType !== undefined && { contentType }) },
    };
  }

  test('is dead after five deliveries, kills no worker, and keeps nobody waiting', { timeout: 300_000 }, async () => {
    const { numRuns, seed } = runsOf({ usually: 60, long: 600 });
    const sample = fc.sample(poison, { numRuns, seed });
    const keys = ['ledger', 'payments', 'wages'];
    for (const key of keys) await keymgmt.done('POST', `key/${key}`);
    await withWorker(async (worker) => {
      const { workerPid } = worker;
      for (const [index, one] of sample.entries()) {
        // Some stand in the way of keys' own messages.
        const sessionId = index % 10 === 0 ? sessionOf(keys[(index / 10) % 3] ?? '') : `other-${index % 20}`;
        await sender.sendMessages(toMessage(one, sessionId));
        if (index % 20 === 10) {
          const key = keys[Math.floor(index / 20) % 3] ?? '';
          await keymgmt.send('PUT', path(key), { purpose: 'sign' });
          await keymgmt.send('POST', `key/${key}/rotate`);
        }
      }
      for (const key of keys) await eventually(`agreement about ${key}`, () => arrived(key), 60_000);
      await eventually('the end of the queue', isEmpty, 120_000);
      expect(worker.workerPid).toBe(workerPid);
    });
    expect(inspected().deadLettered).toBe(numRuns);
    const deliveries = inspected()
      .deadLetters()
      .map(({ deliveryCount }) => deliveryCount);
    expect(Math.max(...deliveries)).toBeLessThanOrEqual(5);
    console.log(`${numRuns} poisonous messages dead after ${Math.max(...deliveries)} deliveries beside 3 rotations`);

    const { body } = await service.vault('LIST', 'sys/dead-letters');
    const { keys: ids, key_info: infos } = body.data as { keys: string[]; key_info: Record<string, object> };
    expect(ids).toHaveLength(Math.min(numRuns, mostDeadLetters));
    for (const info of Object.values(infos)) expect(info).toMatchObject({ foreign: true, delivery_count: 5 });
    expect((await service.vault('POST', 'sys/dead-letters/all/replay')).body.data).toMatchObject({ replayed: 0 });
  });
});

describe('a key whose messages died in an outage', () => {
  test('arrives once its dead letter is sent again', { timeout: 60_000 }, async () => {
    await keymgmt.done('POST', 'key/outage');
    const home = service.platform.keyVault.control('keyfleet-home');
    home.setFirewall([]);
    await withWorker(async () => {
      // The host that answers has read its data key already, the worker has not.
      await keymgmt.send('PUT', path('outage'), { purpose: 'sign' });
      await eventually('the dead letter', () => inspected().deadLettered === 1, 45_000);
      expect(await arrived('outage')).toBe(false);
      expect(inspected().active).toBe(0);
      home.setFirewall(undefined);

      const { body } = await service.vault('LIST', 'sys/dead-letters');
      const { keys: ids, key_info: infos } = body.data as { keys: string[]; key_info: Record<string, object> };
      const [id = ''] = ids;
      const about = {
        reason: 'MaxDeliveryCountExceeded',
        description: 'Message could not be consumed after 5 delivery attempts.',
        delivery_count: 5,
        foreign: false,
        mount: 'team/keys/',
        mount_uuid: mount,
        key: 'outage',
        provider,
      };
      expect(infos).toEqual({ [id]: { ...about, enqueued_time: expect.any(String) as string } });
      expect((await service.vault('GET', `sys/dead-letters/${id}`)).body.data).toMatchObject({
        ...about,
        id,
        body: JSON.stringify({ wakeUp: { mount, key: 'outage', provider } }),
      });

      expect(await service.vault('POST', `sys/dead-letters/${id}/replay`)).toMatchObject({ status: 204 });
      await eventually('the key in the vault', () => arrived('outage'));
      await eventually('the end of the queue', isEmpty);
      expect(inspected().deadLettered).toBe(0);
      expect((await service.vault('LIST', 'sys/dead-letters')).status).toBe(404);
      expect((await service.vault('POST', `sys/dead-letters/${id}/replay`)).status).toBe(404);
    });
  });
});

describe('dead letters of both kinds', () => {
  test('are told apart, and each can be dropped', async () => {
    const sessionId = sessionOf('none');
    const wakeUp = { mount, key: 'none', provider };
    await bury({ body: { wakeUp }, sessionId }, { body: 'password=hunter2', sessionId });
    const { text, body } = await service.vault('GET', 'sys/dead-letters?list=true');
    const { keys: ids, key_info: infos } = body.data as {
      keys: string[];
      key_info: Record<string, { foreign: boolean }>;
    };
    expect(text).not.toContain('hunter2');
    const foreign = ids.find((id) => infos[id]?.foreign === true) ?? '';
    const [ours = ''] = ids.filter((id) => id !== foreign);
    const shown = await service.vault('GET', `sys/dead-letters/${foreign}`);
    expect(shown.text).not.toContain('hunter2');
    expect(shown.body.data).toMatchObject({ reason: 'by hand', foreign: true, body_size: 18 });
    expect(await service.vault('POST', `sys/dead-letters/${foreign}/replay`)).toMatchObject({
      status: 400,
      body: { errors: [expect.stringMatching(/not a message of this service/)] },
    });
    expect((await service.vault('DELETE', `sys/dead-letters/${foreign}`)).status).toBe(204);
    expect((await service.vault('DELETE', `sys/dead-letters/${foreign}`)).status).toBe(404);
    expect((await service.vault('GET', `sys/dead-letters/${ours}`)).status).toBe(200);
    expect(inspected()).toMatchObject({ active: 0, deadLettered: 1 });
  });

  test('are for operators', async () => {
    const policy = 'path "sys/dead-letters*" { capabilities = ["read", "list", "update", "delete"] }';
    await service.vault('PUT', 'sys/policies/acl/watcher', { policy });
    const { body } = await service.vault('POST', 'auth/token/create', { policies: ['watcher'] });
    const { client_token: token } = body['auth'] as { client_token: string };
    expect((await service.vault('LIST', 'sys/dead-letters', undefined, { 'X-Vault-Token': token })).status).toBe(403);
  });
});
