import type { EventContext, Sender } from 'rhea';
import { freeCredit, prepareAttach, settle } from './rhea-internals.ts';

/** The answer to a `$cbs` or `$management` request. */
export interface Reply {
  correlation_id: unknown;
  application_properties: Record<string, unknown>;
  body: unknown;
}

export interface ReplyLinks {
  open(sender: Sender): void;
  close(sender: Sender | undefined): void;
  /** @param name what the request gave as `reply_to`: the link's name or the address of its target */
  send(name: unknown, reply: Reply): void;
}

/** The links of one connection on which the client receives answers. What there is no credit for waits until there is. */
export function createReplyLinks(): ReplyLinks {
  const waitingBySender = new Map<Sender, Reply[]>();

  function flush(sender: Sender): void {
    const waiting = waitingBySender.get(sender) ?? [];
    while (waiting.length > 0 && freeCredit(sender) > 0) sender.send(waiting.shift() as never);
  }

  return {
    open(sender) {
      prepareAttach(sender, {});
      waitingBySender.set(sender, []);
      sender.on('sendable', () => flush(sender));
      sender.on('accepted', ({ delivery }: EventContext) => {
        if (delivery !== undefined) settle(delivery, undefined);
      });
    },
    close: (sender) => sender !== undefined && waitingBySender.delete(sender),
    send(name, reply) {
      for (const [sender, waiting] of waitingBySender) {
        if (sender.name !== name && (sender.target as typeof sender.target | null)?.address !== name) continue;
        waiting.push(reply);
        flush(sender);
        return;
      }
    },
  };
}
