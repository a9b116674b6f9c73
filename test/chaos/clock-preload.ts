import { readFileSync } from 'node:fs';
import { clockVariable } from './clock.ts';

/*
 * To be imported before a program: puts its clock forward by the milliseconds that a file holds, whenever they change.
 * Timers and performance.now() keep real time.
 */

const everyMilliseconds = 20;
const file = process.env[clockVariable];
const RealDate = Date;
let aheadMilliseconds = 0;

if (file !== undefined) {
  const read = () => void (aheadMilliseconds = Number(readFileSync(file, 'utf8')));
  read();
  setInterval(read, everyMilliseconds).unref();
  const now = () => RealDate.now() + aheadMilliseconds;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, parameters, newTarget) =>
      Reflect.construct(target, parameters.length === 0 ? [now()] : parameters, newTarget) as Date,
    get: (target, property) => (property === 'now' ? now : (Reflect.get(target, property) as unknown)),
  });
}
