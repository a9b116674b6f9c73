import type { Authorize, QueueOptions } from '../service-bus/index.ts';
import type { Identities } from './identities.ts';

const daySeconds = 86_400;

/** The queues of a deployed namespace. */
export const queues: readonly QueueOptions[] = [
  {
    name: 'distribution',
    requiresSession: true,
    requiresDuplicateDetection: true,
    duplicateDetectionHistoryTimeWindowSeconds: 600,
    lockDurationSeconds: 60,
    maxDeliveryCount: 5,
    defaultMessageTimeToLiveSeconds: 7 * daySeconds,
    deadLetteringOnMessageExpiration: true,
  },
];

/** The service sends to and listens on its queues; the developer may do everything; nobody else may do anything. */
export function authorizeOnQueues({ service, developer }: Identities): Authorize {
  const owned = new Set(queues.map(({ name }) => name));
  return (principal, entity, right) => {
    if (principal.objectId === developer.objectId) return true;
    return principal.objectId === service.objectId && right !== 'manage' && owned.has(entity);
  };
}
