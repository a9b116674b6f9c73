import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import rhea from 'rhea';
import type { Connection, EventContext, Message, Receiver, Sender, Session } from 'rhea';

export interface RawClient extends AsyncDisposable {
  connection: Connection;
  /** Presents a token for `sb://localhost/<path>`. @returns the status code */
  putToken(path: string, token?: string, type?: string): Promise<number>;
  /** Opens a link to send on; resolves once the broker has attached it, or rejects with its error. */
  sender(options: Parameters<Connection['open_sender']>[0]): Promise<Sender>;
  receiver(options: Parameters<Connection['open_receiver']>[0]): Promise<Receiver>;
  /** One request to the entity's management address. */
  manage(path: string, operation: string, body: unknown, properties?: Record<string, unknown>): Promise<Message>;
}

/**
 * A client of plain AMQP, for what the real client does not let one do or see.
 * @param ca PEM; absent: what the process trusts
 */
export async function connectRaw(port: number, ca?: string): Promise<RawClient> {
  const container = rhea.create_container();
  const connection = container.connect({
    host: 'localhost',
    port,
    transport: 'tls',
    ...(ca !== undefined && { ca }),
    username: 'anonymous',
    reconnect: false,
  } as never);
  connection.setMaxListeners(0);
  connection.on('error', () => undefined);
  connection.on('connection_error', () => undefined);
  connection.on('disconnected', () => undefined);
  await once(connection, 'connection_open');
  const requests = new Map<string, { sender: Sender; name: string }>();
  const answers = new Map<unknown, (message: Message) => void>();

  async function sender(options: Parameters<Connection['open_sender']>[0]): Promise<Sender> {
    const link = connection.open_sender(options);
    await attached(link, 'sender');
    return link;
  }

  async function receiver(options: Parameters<Connection['open_receiver']>[0]): Promise<Receiver> {
    const link = connection.open_receiver(options);
    await attached(link, 'receiver');
    return link;
  }

  async function request(address: string, message: Record<string, unknown>): Promise<Message> {
    let links = requests.get(address);
    if (links === undefined) {
      const name = `replies-${randomUUID()}`;
      const replies = await receiver({ source: { address }, name });
      replies.on(
        'message',
        ({ message: reply }: EventContext) => reply !== undefined && answers.get(reply.correlation_id)?.(reply),
      );
      links = { sender: await sender({ target: { address } }), name };
      requests.set(address, links);
    }
    const id = randomUUID();
    const answered = new Promise<Message>((resolve) => answers.set(id, resolve));
    links.sender.send({ message_id: id, reply_to: links.name, ...message } as never);
    return answered;
  }

  return {
    connection,
    sender,
    receiver,
    async putToken(path, token = 'token-app', type = 'jwt') {
      const reply = await request('$cbs', {
        application_properties: { operation: 'put-token', name: `sb://localhost/${path}`, type },
        body: token,
      });
      return (reply.application_properties as Record<string, number>)['status-code'] ?? 0;
    },
    manage: (path, operation, body, properties = {}) =>
      request(`${path}/$management`, {
        application_properties: { operation: `com.microsoft:${operation}`, ...properties },
        body,
      }),
    async [Symbol.asyncDispose]() {
      if (connection.is_open()) {
        const closed = once(connection, 'connection_close');
        connection.close();
        await closed;
      }
    },
  };
}

/** The refusal of a link comes right behind its attach. */
async function attached(link: Sender | Receiver, kind: 'sender' | 'receiver'): Promise<void> {
  const failure = new Promise<never>((_resolve, reject) => {
    link.on(`${kind}_error`, () => {
      const error = link.error as { condition: string; description: string };
      reject(Object.assign(new Error(error.description), { condition: error.condition }));
    });
    link.connection.on('disconnected', () => reject(new Error('disconnected')));
  });
  await Promise.race([once(link, `${kind}_open`), failure]);
  // The broker answers in order: what it answers to this comes after the detach, if there is one.
  const session = (link.connection as unknown as { create_session(): Session }).create_session();
  session.begin();
  await Promise.race([once(session, 'session_open'), failure]);
  session.close();
  failure.catch(() => undefined);
}

export function statusOf(reply: Message): { code: unknown; condition: unknown } {
  const properties = reply.application_properties as Record<string, unknown>;
  return { code: properties['statusCode'], condition: properties['errorCondition'] };
}
