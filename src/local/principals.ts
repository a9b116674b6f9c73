/** Who a token speaks for, after the stand-in's own checks of signature, issuer, audience and time. */
export interface Principal {
  tenantId: string;
  objectId: string;
  /** Application (client) id of the service principal or managed identity. */
  clientId: string;
}

export type TokenFault = 'malformed' | 'signature' | 'issuer' | 'audience' | 'expired' | 'not-yet-valid';

export class TokenRejected extends Error {
  override readonly name = 'TokenRejected';
  readonly fault: TokenFault;

  constructor(fault: TokenFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/**
 * Checks a bearer token that our Entra issued.
 * @param audience the resource the token must be for, e.g. `https://vault.localhost`
 * @throws TokenRejected
 */
export type VerifyToken = (token: string, audience: string) => Promise<Principal>;
