export type RefusalCode =
  | 'message-lock-lost'
  | 'session-lock-lost'
  | 'session-cannot-be-locked'
  | 'message-not-found'
  | 'argument-error'
  | 'not-allowed';

/** An operation that the entity turns down, as Service Bus would. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
