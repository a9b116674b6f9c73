import type { AzureDescription } from './description.ts';

/** What there is when nobody says otherwise: one of each, and everybody may do everything. */
export const defaultDescription = {
  applications: [{ name: 'app', clientId: 'a0454cd1-e28e-405e-bc50-7477fa8a00b7', secrets: ['eR%HizuCVEpAKgeaUEx'] }],
  managedIdentities: [{ name: 'developer' }],
  vaults: [
    { name: 'learn-keyvault', sku: 'premium' },
    { name: 'standard-keyvault', sku: 'standard' },
  ],
  queues: [{ name: 'queue' }, { name: 'sessions', requiresSession: true }],
  topics: [{ name: 'topic', subscriptions: [{ name: 'subscription' }] }],
} as const satisfies AzureDescription;
