import type { TokenCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { ServiceBusClient } from '@azure/service-bus';

/** Where a process of stand-ins is, and what to trust. */
export interface StandInAddresses {
  keyVaultUrl: string;
  /** Fully qualified namespace. */
  serviceBus: string;
  caCertificate: string;
}

export const queueName = 'queue';

/** What stand-ins of benchmarks take anything for: who calls isn't measured. */
const credential: TokenCredential = {
  getToken: async () => ({ token: 'any', expiresOnTimestamp: Date.now() + 86_400_000 }),
};

export function openKeyClient(url: string): KeyClient {
  return new KeyClient(url, credential, {
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 0 },
  });
}

export function openServiceBusClient(fullyQualifiedNamespace: string): ServiceBusClient {
  return new ServiceBusClient(fullyQualifiedNamespace, credential, { retryOptions: { maxRetries: 0 } });
}
