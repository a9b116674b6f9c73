import type { EventContext, Sender } from 'rhea';
import { freeCredit, prepareAttach, settle } from './rhea-internals.ts';

/** The answer to a `$cbs` or `$management` request. */
export interface Reply {
  correlation_id: unknown;
  application_properties: Record<string, unknown>;
  body: unknown;
}

export interface ReplyLink {
  send(reply: Reply): void;
}

/** The link on which a client receives answers. What it has no credit for waits until it has. */
export function openReplyLink(sender: Sender): ReplyLink {
  const waiting: Reply[] = [];
  prepareAttach(sender, {});

  function flush(): void {
    while (waiting.length > 0 && freeCredit(sender) > 0) sender.send(waiting.shift() as never);
  }

  sender.on('sendable', flush);
  sender.on('accepted', ({ delivery }: EventContext) => delivery !== undefined && settle(delivery, undefined));
  return {
    send(reply) {
      waiting.push(reply);
      flush();
    },
  };
}
