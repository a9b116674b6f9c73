import { createCallerVerification, type VerifyCaller } from './callers.ts';
import type { Clouds } from './clouds.ts';

export interface SignInOptions {
  tenantId: string | undefined;
  audience: string | undefined;
  cloudName: string;
  clouds: Clouds;
  now: () => Date;
}

/** How callers are verified, or why none can be. */
export type SignIn = { verify: VerifyCaller } | { verify?: undefined; reason: string };

/** Never guesses: without its settings nobody is verified, and so nobody gets in by a token of Entra's. */
export function createSignIn({ tenantId, audience, cloudName, clouds, now }: SignInOptions): SignIn {
  const missing = [
    ...(tenantId === undefined ? ['KEYFLEET_TENANT_ID'] : []),
    ...(audience === undefined ? ['KEYFLEET_AUDIENCE'] : []),
  ];
  if (tenantId === undefined || audience === undefined) {
    return { reason: `callers cannot sign in with Entra tokens: ${missing.join(' and ')} not set` };
  }
  const cloud = clouds.find(cloudName);
  if (cloud === undefined) {
    return { reason: 'callers cannot sign in with Entra tokens: KEYFLEET_CLOUD names no known cloud' };
  }
  return { verify: createCallerVerification({ tenantId, audience, authorityHost: cloud.authorityHost, now }) };
}
