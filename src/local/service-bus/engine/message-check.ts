import type { NewMessage } from './message.ts';
import type { QueueSettings } from './options.ts';
import { Refusal } from './refusal.ts';

const maxIdLength = 128;

/** @throws Refusal if an entity with these settings can't hold such a message */
export function checkMessage(message: NewMessage<unknown>, settings: Pick<QueueSettings, 'requiresSession'>): void {
  if (message.messageId.length > maxIdLength) {
    throw new Refusal('argument-error', `The message id must not be longer than ${maxIdLength} characters.`);
  }
  if ((message.sessionId?.length ?? 0) > maxIdLength) {
    throw new Refusal('argument-error', `The session id must not be longer than ${maxIdLength} characters.`);
  }
  if (settings.requiresSession && message.sessionId === undefined) {
    throw new Refusal(
      'not-allowed',
      'The SessionId was not set on a message, and the entity requires sessions: it can only hold messages with a SessionId.',
    );
  }
}
