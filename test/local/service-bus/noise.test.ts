import { once } from 'node:events';
import { createConnection } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { caCertificate, receiveOne } from './harness.ts';
import { startRaw } from './raw-bus.ts';
import { connectRaw } from './raw-client.ts';

describe.concurrent('bytes that are not AMQP', () => {
  async function tlsSocket(port: number) {
    const socket = connect({ host: 'localhost', port, ca: caCertificate });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    return socket;
  }

  it.concurrent.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['AMQP 0-9-1', Buffer.from('AMQP\0\0\x09\x01', 'latin1')],
    [
      'a frame too large to wait for',
      Buffer.concat([Buffer.from('AMQP\x03\x01\0\0', 'latin1'), Buffer.from([0xff, 0xff, 0xff, 0xff, 2, 1, 0, 0])]),
    ],
    [
      'a frame too small to be one',
      Buffer.concat([Buffer.from('AMQP\x03\x01\0\0', 'latin1'), Buffer.from([0, 0, 0, 4, 2, 1, 0, 0])]),
    ],
    [
      'noise in a frame',
      Buffer.concat([
        Buffer.from('AMQP\0\x01\0\0', 'latin1'),
        Buffer.from([0, 0, 0, 16, 2, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]),
      ]),
    ],
  ])('%s: costs that connection alone', async (_name, bytes) => {
    await using bus = await startRaw();
    const socket = await tlsSocket(bus.port);
    const closed = once(socket, 'close');
    socket.resume();
    socket.write(bytes);
    await closed;
    expect(bus.raw.connection.is_open()).toBe(true);
    await bus.client().createSender('q').sendMessages({ body: 1 });
    expect((await receiveOne(bus.client().createReceiver('q'))).body).toBe(1);
  });

  it.concurrent('not even TLS: costs that connection alone', async () => {
    await using bus = await startRaw();
    const socket = createConnection({ host: 'localhost', port: bus.port });
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    socket.write('no TLS');
    socket.resume();
    await closed;
    await bus.client().createSender('q').sendMessages({ body: 1 });
    expect(bus.queue.active).toBe(1);
  });

  it.concurrent('a transfer on a link that was never attached costs that connection alone', async () => {
    await using bus = await startRaw();
    await using other = await connectRaw(bus.port);
    await other.putToken('q');
    const sender = await other.sender({ target: { address: 'q' } });
    (sender as unknown as { local: { handle: number } }).local.handle = 77;
    const broken = new Promise((resolve) => other.connection.once('disconnected', resolve));
    sender.send({ body: 1 });
    await broken;
    expect(bus.raw.connection.is_open()).toBe(true);
    expect(bus.queue.active).toBe(0);
  });
});
