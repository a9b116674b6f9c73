import rhea from 'rhea';
import type { EventContext, Receiver } from 'rhea';
import { TokenRejected } from '../../principals.ts';
import type { Claims } from './claims.ts';
import { decodeError } from './conditions.ts';
import { breakConnection } from './faulty.ts';
import type { ReplyLinks } from './reply-link.ts';
import { accepted, prepareAttach, rejected, settle } from './rhea-internals.ts';

export interface CbsOptions {
  claims: Claims;
  replies: ReplyLinks;
}

const maxTokenBytes = 64 * 1024;

/** The link on which a client presents tokens (claims-based security). */
export function openCbsLink(receiver: Receiver, options: CbsOptions): void {
  prepareAttach(receiver, { maxMessageSizeBytes: maxTokenBytes });
  receiver.on('message', ({ message, delivery }: EventContext) => {
    if (delivery === undefined) return;
    const request = decodeRequest(message as unknown as Buffer);
    if (request === undefined) {
      settle(delivery, rejected(decodeError.condition, decodeError.description));
      return;
    }
    settle(delivery, accepted());
    answer(request).catch(() => breakConnection(receiver.connection));
  });

  async function answer(request: Request): Promise<void> {
    const [code, description] = await putToken(request);
    options.replies.send(request['reply_to'], {
      correlation_id: request['message_id'],
      application_properties: {
        'status-code': rhea.types.wrap_int(code),
        'status-description': description,
        ...(code === 401 && { 'error-condition': rhea.types.wrap_symbol('amqp:unauthorized-access') }),
      },
      body: '',
    });
  }

  async function putToken(request: Request): Promise<[number, string]> {
    const { operation, name, type } = (request['application_properties'] ?? {}) as Record<string, unknown>;
    const token: unknown = request['body'];
    if (operation !== 'put-token') return [400, `The operation '${String(operation)}' is not supported.`];
    if (typeof name !== 'string' || typeof token !== 'string') return [400, 'A put-token needs a name and a token.'];
    if (type !== 'jwt')
      return [
        401,
        'LocalAuthDisabled: authorization failed because SAS authentication has been disabled for the namespace.',
      ];
    try {
      await options.claims.put(name, token);
      return [202, 'Accepted'];
    } catch (error) {
      if (error instanceof TokenRejected) return [401, `InvalidToken: ${error.message}`];
      return [500, 'The token could not be checked.'];
    }
  }
}

/** A decoded message, by rhea's names of fields. */
export type Request = Readonly<Record<string, unknown>>;

/** @returns undefined if the bytes are not a message */
export function decodeRequest(bytes: Buffer): Request | undefined {
  try {
    return rhea.message.decode(bytes);
  } catch {
    return undefined;
  }
}
