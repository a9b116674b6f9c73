import fc from 'fast-check';
import { expect } from 'vitest';
import { createModel } from './model.ts';
import type { ModelSettings, Received, SettlementKind, Snapshot } from './model.ts';

/** Something that is driven like a queue: the engine itself, or a broker through its real client. */
export interface Subject {
  tick(milliseconds: number): Promise<void>;
  send(id: string, sessionId: string | undefined, timeToLive: number | undefined): Promise<void>;
  schedule(id: string, sessionId: string | undefined, milliseconds: number): Promise<number>;
  cancelScheduled(sequenceNumber: number): Promise<string>;
  accept(holder: number, sessionId: string | undefined): Promise<string>;
  renewSession(holder: number): Promise<string>;
  closeSession(holder: number): Promise<void>;
  renew(delivery: number): Promise<string>;
  receive(holder: number | undefined): Promise<Received | string>;
  receiveDeferred(holder: number | undefined, sequenceNumber: number): Promise<Received | string>;
  settle(delivery: number, kind: SettlementKind): Promise<string>;
  snapshot(): Promise<Snapshot>;
}

const sessionIds = ['a', 'b', 'c'] as const;
const holderSlots = 3;

export type Step =
  | { do: 'tick'; milliseconds: number }
  | { do: 'send'; id: number; session: number; timeToLive: number | undefined }
  | { do: 'schedule'; id: number; session: number; milliseconds: number }
  | { do: 'cancel'; which: number }
  | { do: 'accept'; slot: number; session: number | undefined }
  | { do: 'renewSession' | 'closeSession' | 'receive'; slot: number }
  | { do: 'receiveDeferred'; slot: number; which: number }
  | { do: 'renew'; which: number }
  | { do: 'settle'; which: number; kind: SettlementKind };

const slot = fc.nat(holderSlots - 1);
const session = fc.nat(sessionIds.length - 1);
const which = fc.nat(30);
const send = fc.record({
  do: fc.constant('send' as const),
  id: fc.nat(40),
  session,
  timeToLive: fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined, freq: 4 }),
});

/**
 * Histories of a queue whose locks last 300 ms.
 * @param kinds the ways of settling that the subject knows; what is named more often happens more often
 */
export const historyWith = (kinds: readonly SettlementKind[]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('tick' as const), milliseconds: fc.integer({ min: 1, max: 250 }) }),
      },
      { weight: 5, arbitrary: send },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant('schedule' as const),
          id: fc.nat(40),
          session,
          milliseconds: fc.integer({ min: 1, max: 600 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('accept' as const),
          slot,
          session: fc.option(session, { nil: undefined }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constantFrom('renewSession' as const, 'closeSession' as const), slot }),
      },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('receive' as const), slot }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('receiveDeferred' as const), slot, which }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('renew' as const), which }) },
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('settle' as const), which, kind: fc.constantFrom(...kinds) }),
      },
    ),
    { minLength: 10, maxLength: 100, size: 'max' },
  );

/** Takes the steps with the subject and with the model, and expects them to agree in every answer and in what is left. */
export async function expectAgreement(
  subject: Subject,
  settings: ModelSettings,
  steps: readonly Step[],
): Promise<void> {
  const model = createModel(settings);
  /** The newest holder in each slot; holders are numbered through, so that lost ones stay what they are. */
  const holders: (number | undefined)[] = [];
  const numbers: number[] = [];
  let lastHolder = 0;

  for (const step of steps) {
    switch (step.do) {
      case 'tick':
        model.tick(step.milliseconds);
        await subject.tick(step.milliseconds);
        break;
      case 'send': {
        const sessionId = settings.requiresSession ? sessionIds[step.session] : undefined;
        model.send(`id-${step.id}`, sessionId, step.timeToLive);
        await subject.send(`id-${step.id}`, sessionId, step.timeToLive);
        break;
      }
      case 'schedule': {
        const sessionId = settings.requiresSession ? sessionIds[step.session] : undefined;
        const number = model.schedule(`id-${step.id}`, sessionId, step.milliseconds);
        expect(await subject.schedule(`id-${step.id}`, sessionId, step.milliseconds)).toBe(number);
        numbers.push(number);
        break;
      }
      case 'cancel': {
        const number = numbers[step.which % Math.max(numbers.length, 1)] ?? 999;
        expect(await subject.cancelScheduled(number)).toBe(model.cancelScheduled(number));
        break;
      }
      case 'accept': {
        if (!settings.requiresSession) break;
        const former = holders[step.slot];
        if (former !== undefined) {
          model.closeSession(former);
          await subject.closeSession(former);
        }
        const sessionId = step.session === undefined ? undefined : sessionIds[step.session];
        // Through the protocol, finding out that there is none takes too long for every time.
        if (sessionId === undefined && !model.isWaiting()) break;
        const holder = ++lastHolder;
        const answer = model.accept(holder, sessionId);
        expect(await subject.accept(holder, sessionId)).toBe(answer);
        holders[step.slot] = sessionIds.includes(answer as 'a') ? holder : undefined;
        break;
      }
      case 'renewSession': {
        const holder = holders[step.slot];
        if (holder !== undefined) expect(await subject.renewSession(holder)).toBe(model.renewSession(holder));
        break;
      }
      case 'closeSession': {
        const holder = holders[step.slot];
        if (holder === undefined) break;
        model.closeSession(holder);
        await subject.closeSession(holder);
        break;
      }
      case 'receive': {
        const holder = holders[step.slot];
        if (settings.requiresSession && holder === undefined) break;
        expect(await subject.receive(holder)).toEqual(model.receive(holder));
        break;
      }
      case 'receiveDeferred': {
        const holder = holders[step.slot];
        if (settings.requiresSession && holder === undefined) break;
        const deferred = model.snapshot().messages.filter(({ state }) => state === 'deferred');
        const number = deferred[step.which % Math.max(deferred.length, 1)]?.sequenceNumber ?? step.which;
        expect(await subject.receiveDeferred(holder, number)).toEqual(model.receiveDeferred(holder, number));
        break;
      }
      case 'renew':
        if (settings.requiresSession || model.deliveryCount() === 0) break;
        expect(await subject.renew(step.which % model.deliveryCount())).toBe(
          model.renew(step.which % model.deliveryCount()),
        );
        break;
      case 'settle': {
        if (model.deliveryCount() === 0) break;
        const delivery = Math.max(model.deliveryCount() - 1 - (step.which % 5), 0);
        expect(await subject.settle(delivery, step.kind)).toBe(model.settle(delivery, step.kind));
      }
    }
    expect(await subject.snapshot()).toEqual(model.snapshot());
  }
}
