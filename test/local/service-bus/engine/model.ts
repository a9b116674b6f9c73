/**
 * What a queue is, in the plainest terms: a list of messages that is searched from end to end, and a list of what happens
 * when. The real queue must agree with it after every step.
 */
export interface ModelSettings {
  requiresSession: boolean;
  lockMilliseconds: number;
  maxDeliveryCount: number;
  duplicateWindowMilliseconds: number;
  deadLetterExpired: boolean;
}

export interface Received {
  id: string;
  sequenceNumber: number;
  deliveryCount: number;
}

export type SettlementKind = 'complete' | 'abandon' | 'defer' | 'dead-letter' | 'release';

export interface Snapshot {
  messages: {
    id: string;
    sequenceNumber: number;
    sessionId: string | undefined;
    state: string;
    locked: boolean;
    deliveryCount: number;
  }[];
  deadLetters: { id: string; reason: string | undefined }[];
}

interface Message {
  id: string;
  sessionId: string | undefined;
  sequenceNumber: number;
  state: 'active' | 'scheduled' | 'deferred';
  deliveryCount: number;
  timeToLive: number | undefined;
  expiresAt: number;
  /** Number of the delivery that has it. */
  delivery: number | undefined;
}

interface Event {
  at: number;
  happen: () => void;
}

export type Model = ReturnType<typeof createModel>;

export function createModel(settings: ModelSettings) {
  let now = 0;
  let lastSequenceNumber = 0;
  let messages: Message[] = [];
  let events: Event[] = [];
  const deadLetters: Snapshot['deadLetters'] = [];
  const knownIds = new Map<string, number>();
  const deliveries: { message: Message; holder: number | undefined; end: Event | undefined }[] = [];
  const holders = new Map<number, { sessionId: string; lost: boolean; end: Event | undefined }>();
  /** Sessions in the order in which they came to wait for a holder. */
  let waiting: string[] = [];

  const inOrder = (some: Message[]) => some.toSorted((a, b) => a.sequenceNumber - b.sequenceNumber);
  const ready = () => inOrder(messages.filter(({ state, delivery }) => state === 'active' && delivery === undefined));
  const holderOf = (sessionId: string) =>
    [...holders].find(([, holder]) => holder.sessionId === sessionId && !holder.lost)?.[0];

  function later(milliseconds: number, happen: () => void): Event {
    const event = { at: now + milliseconds, happen };
    events.push(event);
    return event;
  }

  function cancel(event: Event | undefined): void {
    events = events.filter((other) => other !== event);
  }

  function review(): void {
    const free = new Set(
      ready()
        .map(({ sessionId }) => sessionId ?? '')
        .filter((id) => holderOf(id) === undefined),
    );
    waiting = [...waiting.filter((id) => free.has(id)), ...[...free].filter((id) => !waiting.includes(id))];
  }

  function remove(message: Message): void {
    messages = messages.filter((other) => other !== message);
  }

  function giveUp(message: Message, reason: string | undefined): void {
    remove(message);
    deadLetters.push({ id: message.id, reason });
  }

  function expire(message: Message): void {
    if (settings.deadLetterExpired) giveUp(message, 'TTLExpiredException');
    else remove(message);
  }

  function add(
    id: string,
    sessionId: string | undefined,
    state: Message['state'],
    timeToLive: number | undefined,
  ): Message {
    const message: Message = {
      id,
      sessionId,
      sequenceNumber: ++lastSequenceNumber,
      state,
      deliveryCount: 0,
      timeToLive,
      expiresAt: Infinity,
      delivery: undefined,
    };
    messages.push(message);
    if (state === 'active' && timeToLive !== undefined) {
      message.expiresAt = now + timeToLive;
      later(timeToLive, () => {
        if (messages.includes(message) && message.state === 'active' && message.delivery === undefined) expire(message);
      });
    }
    return message;
  }

  function seen(id: string): boolean {
    const known = (knownIds.get(id) ?? -Infinity) > now;
    if (!known) knownIds.set(id, now + settings.duplicateWindowMilliseconds);
    return known;
  }

  function giveBack(number: number, counts: boolean): void {
    const delivery = deliveries[number];
    if (delivery === undefined) return;
    const { message } = delivery;
    cancel(delivery.end);
    message.delivery = undefined;
    if (counts) message.deliveryCount++;
    if (message.deliveryCount >= settings.maxDeliveryCount) giveUp(message, 'MaxDeliveryCountExceeded');
    else if (message.state === 'active' && message.expiresAt <= now) expire(message);
  }

  function loseSession(number: number, counts: boolean): void {
    const holder = holders.get(number);
    if (holder === undefined || holder.lost) return;
    holder.lost = true;
    cancel(holder.end);
    for (const message of inOrder(messages)) {
      if (message.delivery !== undefined && deliveries[message.delivery]?.holder === number)
        giveBack(message.delivery, counts);
    }
    review();
  }

  function hand(message: Message, holder: number | undefined): Received {
    const number = deliveries.length;
    message.delivery = number;
    const end = holder === undefined ? later(settings.lockMilliseconds, () => giveBack(number, true)) : undefined;
    deliveries.push({ message, holder, end });
    review();
    return { id: message.id, sequenceNumber: message.sequenceNumber, deliveryCount: message.deliveryCount };
  }

  return {
    tick(milliseconds: number): void {
      const target = now + milliseconds;
      for (;;) {
        // The list is in the order of creation: among equals, the first one made comes first.
        const [next] = events.filter(({ at }) => at <= target).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        cancel(next);
        now = target;
        next.happen();
        review();
      }
      now = target;
    },

    send(id: string, sessionId: string | undefined, timeToLive: number | undefined): void {
      if (!seen(id)) add(id, sessionId, 'active', timeToLive);
      review();
    },

    schedule(id: string, sessionId: string | undefined, milliseconds: number): number {
      if (seen(id)) return ++lastSequenceNumber;
      const message = add(id, sessionId, 'scheduled', undefined);
      later(milliseconds, () => {
        if (!messages.includes(message)) return;
        remove(message);
        add(id, sessionId, 'active', undefined);
      });
      return message.sequenceNumber;
    },

    cancelScheduled(sequenceNumber: number): 'done' | 'message-not-found' {
      const message = messages.find((one) => one.sequenceNumber === sequenceNumber && one.state === 'scheduled');
      if (message === undefined) return 'message-not-found';
      remove(message);
      return 'done';
    },

    /** @param sessionId absent: the next one. @returns the id of the session */
    accept(number: number, sessionId: string | undefined): string {
      const id = sessionId ?? waiting[0];
      if (id === undefined) return 'nothing';
      if (holderOf(id) !== undefined) return 'session-cannot-be-locked';
      holders.set(number, {
        sessionId: id,
        lost: false,
        end: later(settings.lockMilliseconds, () => loseSession(number, true)),
      });
      review();
      return id;
    },

    renewSession(number: number): 'done' | 'session-lock-lost' {
      const holder = holders.get(number);
      if (holder === undefined || holder.lost) return 'session-lock-lost';
      cancel(holder.end);
      holder.end = later(settings.lockMilliseconds, () => loseSession(number, true));
      return 'done';
    },

    closeSession(number: number): void {
      loseSession(number, false);
    },

    renew(delivery: number): 'done' | 'message-lock-lost' {
      const locked = deliveries[delivery];
      if (locked?.message.delivery !== delivery || !messages.includes(locked.message)) return 'message-lock-lost';
      cancel(locked.end);
      locked.end = later(settings.lockMilliseconds, () => giveBack(delivery, true));
      return 'done';
    },

    receive(number: number | undefined): Received | 'nothing' | 'session-lock-lost' {
      const holder = number === undefined ? undefined : holders.get(number);
      if (number !== undefined && (holder === undefined || holder.lost)) return 'session-lock-lost';
      const message = ready().find(({ sessionId }) => holder === undefined || sessionId === holder.sessionId);
      return message === undefined ? 'nothing' : hand(message, number);
    },

    receiveDeferred(
      number: number | undefined,
      sequenceNumber: number,
    ): Received | 'message-not-found' | 'session-lock-lost' {
      const holder = number === undefined ? undefined : holders.get(number);
      if (number !== undefined && (holder === undefined || holder.lost)) return 'session-lock-lost';
      const message = messages.find(
        (one) => one.sequenceNumber === sequenceNumber && one.state === 'deferred' && one.delivery === undefined,
      );
      if (message === undefined || (holder !== undefined && message.sessionId !== holder.sessionId))
        return 'message-not-found';
      return hand(message, number);
    },

    settle(number: number, kind: SettlementKind): 'done' | 'message-lock-lost' | 'session-lock-lost' {
      const delivery = deliveries[number];
      if (delivery === undefined) return 'message-lock-lost';
      const { message, holder } = delivery;
      if (holder !== undefined && holders.get(holder)?.lost === true) return 'session-lock-lost';
      if (message.delivery !== number || !messages.includes(message)) return 'message-lock-lost';
      switch (kind) {
        case 'complete':
          remove(message);
          break;
        case 'dead-letter':
          giveUp(message, 'by hand');
          break;
        case 'defer':
          message.state = 'deferred';
          message.delivery = undefined;
          break;
        case 'abandon':
        case 'release':
          giveBack(number, kind === 'abandon');
      }
      cancel(delivery.end);
      review();
      return 'done';
    },

    deliveryCount: () => deliveries.length,
    isWaiting: () => waiting.length > 0,

    snapshot: (): Snapshot => ({
      messages: inOrder(messages).map(({ id, sequenceNumber, sessionId, state, delivery, deliveryCount }) => ({
        id,
        sequenceNumber,
        sessionId,
        state,
        locked: delivery !== undefined,
        deliveryCount,
      })),
      deadLetters: [...deadLetters],
    }),
  };
}
