import { createHash, timingSafeEqual } from 'node:crypto';
import type { ClientProof } from './access-tokens.ts';
import { EntraError } from './entra-error.ts';
import type { CheckAssertion } from './federated-assertion.ts';
import type { Application } from './types.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Checks how a client proves that it is `application`: by a secret, or by an issuer's token that it trusts.
 * @param form the token request
 * @throws EntraError
 */
export async function authenticateClient(options: {
  application: Application;
  form: URLSearchParams;
  checkAssertion: CheckAssertion;
  now: Date;
}): Promise<ClientProof> {
  const { application, form, checkAssertion, now } = options;
  const assertion = form.get('client_assertion');
  if (assertion) {
    if (form.get('client_assertion_type') !== assertionType) {
      throw new EntraError(90014, `'client_assertion_type' must be '${assertionType}'.`);
    }
    await checkAssertion(application, assertion);
    return 'assertion';
  }
  const secret = form.get('client_secret');
  if (!secret) {
    throw new EntraError(7000216, `'client_assertion' or 'client_secret' is required for this grant type.`);
  }
  const match = application.secrets?.find(({ value }) => sameText(value, secret));
  if (!match) {
    throw new EntraError(
      7000215,
      `Invalid client secret provided. Send the secret's value, not its ID, for app '${application.clientId}'.`,
    );
  }
  if (match.expiresAt && match.expiresAt <= now) {
    throw new EntraError(7000222, `The provided client secret keys for app '${application.clientId}' are expired.`);
  }
  return 'secret';
}

function sameText(left: string, right: string): boolean {
  const [leftHash, rightHash] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return leftHash !== undefined && rightHash !== undefined && timingSafeEqual(leftHash, rightHash);
}
