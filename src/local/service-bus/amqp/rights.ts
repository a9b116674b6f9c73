import type { Principal } from '../../principals.ts';

/** As in Service Bus' claims. */
export type Right = 'listen' | 'send' | 'manage';

/** @param entity the queue, topic or subscription, without `$DeadLetterQueue` or `$management` */
export type Authorize = (principal: Principal, entity: string, right: Right) => boolean;
