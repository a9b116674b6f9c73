import { randomUUID } from 'node:crypto';
import { openState } from './open-state.ts';
import type { Platform } from './platform/index.ts';

/**
 * Stores the platform's root token, the way the service itself stores tokens: to the service it is one like any other.
 */
export async function seedRootToken(platform: Platform): Promise<void> {
  await openState(platform).tokens.put(platform.rootToken, {
    accessor: randomUUID(),
    displayName: 'root',
    policies: ['root'],
    path: 'auth/token/root',
    orphan: true,
    renewable: false,
    meta: null,
    createdTime: new Date(),
    creationTtlSeconds: 0,
  });
}
