import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import tls from 'node:tls';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import { createLocalJWKSet, decodeJwt, errors, jwtVerify } from 'jose';
import { EntraError } from './entra-error.ts';
import type { Application, FederatedCredential } from './types.ts';

/** @throws EntraError unless `assertion` is a valid token that one of the application's federated credentials names */
export type CheckAssertion = (application: Application, assertion: string) => Promise<void>;

const answerTimeoutMilliseconds = 5_000;
const answerLimitBytes = 1_048_576;

/**
 * Checks another issuer's token: issuer, subject and audience against the application's federated credentials, then
 * the RS256 signature through the keys that the issuer publishes, then its times. Keys are fetched for every token.
 * @param options.caCertificate PEM, trusted beside the public authorities
 */
export function createAssertionCheck(options: { caCertificate: string; now: () => Date }): CheckAssertion {
  const { caCertificate, now } = options;
  return async (application, assertion) => {
    const credential = matchCredential(application, readClaims(assertion));
    const keys = await fetchKeys(credential.issuer, caCertificate);
    try {
      await jwtVerify(assertion, createLocalJWKSet(keys), {
        algorithms: ['RS256'],
        issuer: credential.issuer,
        subject: credential.subject,
        audience: credential.audience,
        currentDate: now(),
        requiredClaims: ['exp'],
      });
    } catch (error) {
      const outOfTime = error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed;
      if (outOfTime) throw new EntraError(700024, 'Client assertion is not within its valid time range.');
      throw new EntraError(700027, 'Client assertion failed signature validation.');
    }
  };
}

function readClaims(assertion: string): JWTPayload {
  try {
    return decodeJwt(assertion);
  } catch {
    throw new EntraError(50027, 'Invalid JWT token.');
  }
}

function matchCredential(application: Application, claims: JWTPayload): FederatedCredential {
  const audiences = [claims.aud ?? []].flat();
  const sameIssuer = (application.federatedCredentials ?? []).filter(({ issuer }) => issuer === claims.iss);
  if (sameIssuer.length === 0) throw unmatched(700211, 'issuer', claims.iss);
  const sameSubject = sameIssuer.filter(({ subject }) => subject === claims.sub);
  if (sameSubject.length === 0) throw unmatched(700213, 'subject', claims.sub);
  const credential = sameSubject.find(({ audience }) => audiences.includes(audience));
  if (!credential) throw unmatched(700212, 'audience', audiences.join(', '));
  return credential;
}

function unmatched(code: 700211 | 700212 | 700213, claim: string, value: string | undefined): EntraError {
  return new EntraError(
    code,
    `No matching federated identity record found for presented assertion ${claim} '${value ?? ''}'.`,
  );
}

async function fetchKeys(issuer: string, caCertificate: string): Promise<JSONWebKeySet> {
  try {
    const configuration = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    return (await fetchJson(String(configuration.jwks_uri))) as unknown as JSONWebKeySet;
  } catch (error) {
    throw new EntraError(50027, `Invalid JWT token. Keys of issuer '${issuer}' can't be read: ${String(error)}`);
  }

  async function fetchJson(address: string): Promise<Record<string, unknown>> {
    const url = new URL(address);
    const text = await new Promise<string>((resolve, reject) => {
      const send = url.protocol === 'http:' && isLoopback(url) ? httpRequest : httpsRequest;
      const ca = [...tls.rootCertificates, caCertificate];
      const request = send(url, { ca, timeout: answerTimeoutMilliseconds }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
          if (body.length > answerLimitBytes) request.destroy(new Error('answer too long'));
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`status ${response.statusCode}`));
        });
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error('no answer in time')));
      request.on('error', reject);
      request.end();
    });
    return JSON.parse(text) as Record<string, unknown>;
  }
}

/** Azure reads keys over https alone; on one machine an issuer may do without. */
function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname.endsWith('.localhost');
}
