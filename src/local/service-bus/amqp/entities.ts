import type { Queue } from '../engine/queue.ts';
import type { Topic } from '../engine/topic.ts';
import type { WireMessage } from './wire-message.ts';
import type { Dispatcher } from './dispatcher.ts';

export type Entity =
  | {
      kind: 'queue';
      path: string;
      securedPath: string;
      queue: Queue<WireMessage>;
      dispatcher: Dispatcher;
      sendable: boolean;
    }
  | { kind: 'topic'; path: string; securedPath: string; topic: Topic<WireMessage> };

export interface Entities {
  add(entity: Entity): void;
  /** Names are case-insensitive, as in Service Bus. */
  find(path: string): Entity | undefined;
}

export function createEntities(): Entities {
  const byPath = new Map<string, Entity>();
  return {
    add: (entity) => void byPath.set(normalPath(entity.path), entity),
    find: (path) => byPath.get(normalPath(path)),
  };
}

export const cbsPath = '$cbs';

const managementSuffix = '/$management';

/** The path of the entity whose management address `path` is, if it is one. */
export function managementTarget(path: string): string | undefined {
  return path.endsWith(managementSuffix) ? path.slice(0, -managementSuffix.length) : undefined;
}

/** `/Q/$Management` and `q/$management` are one place. */
export function normalPath(path: string): string {
  return path.toLowerCase().split('/').filter(Boolean).join('/');
}
