/** The tutorial can't begin; nothing was done. The message says what to do about it. Exit code 2. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
}
