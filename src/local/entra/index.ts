import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Certificates } from '../certificates.ts';
import type { Faults } from '../faults.ts';
import type { Principal, VerifyToken } from '../principals.ts';
import { createAccessTokens } from './access-tokens.ts';
import { createAuthority } from './authority.ts';
import { createDirectory } from './directory.ts';
import { createAssertionCheck } from './federated-assertion.ts';
import { closeServer, jsonListener, listenOnLoopback } from './http-server.ts';
import { createIdentityEndpoint, identityEndpointPath } from './identity-endpoint.ts';
import { createSigningKeys } from './signing-keys.ts';
import { createTokenEndpoint } from './token-endpoint.ts';
import type { Application, ManagedIdentity, Resource } from './types.ts';

export type { Application, ClientSecret, FederatedCredential, ManagedIdentity, Resource } from './types.ts';

export interface EntraOptions {
  /** Tenant ids. */
  tenants: readonly string[];
  applications: readonly Application[];
  managedIdentities: readonly ManagedIdentity[];
  /** What tokens can be asked for beside `https://storage.azure.com` and `https://servicebus.azure.net`. */
  resources: readonly Resource[];
  tls: Certificates;
  faults: Faults;
  now: () => Date;
  /** Of the authority; 0 or absent picks a free one. */
  port?: number | undefined;
  /** Of the identity endpoint; 0 or absent picks a free one. */
  identityPort?: number | undefined;
  /** Host names of the authority beside `localhost` and `login.localhost`. The certificate must cover them. */
  authorityNames?: readonly string[];
  /** Of tokens for applications; Entra gives about an hour. */
  tokenLifetimeSeconds?: number;
  /** Of tokens for managed identities; Azure gives a day. */
  identityTokenLifetimeSeconds?: number;
}

export interface EntraStandIn {
  /** `https://localhost:<port>`; as good under every other name of the authority. */
  authorityHost: string;
  /** `http://127.0.0.1:<port>/msi/token`, for IDENTITY_ENDPOINT. */
  identityEndpoint: string;
  verify: VerifyToken;
  /**
   * Issues a token without any check, for tests and stand-ins.
   * @param claims added to or replacing the token's own; undefined takes a claim out
   * @throws Error if `audience` is no resource
   */
  issueToken(client: Principal, audience: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  putApplication(application: Application): void;
  removeApplication(clientId: string): void;
  /** Signs with a new key from here on. Tokens of the key before stay valid until the next rotation. */
  rotateKeys(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Microsoft Entra and the App Service identity endpoint on loopback: enough of both for the unmodified credentials of
 * `@azure/identity` by client secret, client assertion and managed identity.
 * @throws if a port is taken
 */
export async function startEntra(options: EntraOptions): Promise<EntraStandIn> {
  const { faults, now, tls } = options;
  const { tokenLifetimeSeconds = 3_599, identityTokenLifetimeSeconds = 86_400 } = options;
  const names = ['localhost', 'login.localhost', ...(options.authorityNames ?? [])];
  let authorityHost = '';
  let authorities: readonly string[] = [];

  const directory = createDirectory(options);
  const signingKeys = createSigningKeys();
  const accessTokens = createAccessTokens({ signingKeys, directory, authorities: () => authorities, now });
  const tokenEndpoint = createTokenEndpoint({
    directory,
    accessTokens,
    checkAssertion: createAssertionCheck({ caCertificate: tls.caCertificate, now }),
    faults,
    lifetimeSeconds: tokenLifetimeSeconds,
    now,
  });
  const authority = createAuthority({
    directory,
    signingKeys,
    tokenEndpoint,
    authorities: () => authorities,
    now,
  });
  const authorityServer = createHttpsServer({ cert: tls.certificate, key: tls.privateKey }, jsonListener(authority));
  const identityServer = createHttpServer(
    jsonListener(
      createIdentityEndpoint({
        directory,
        accessTokens,
        faults,
        authority: () => authorityHost,
        lifetimeSeconds: identityTokenLifetimeSeconds,
      }),
    ),
  );

  const port = await listenOnLoopback(authorityServer, options.port ?? 0);
  authorityHost = `https://localhost:${port}`;
  authorities = names.map((name) => `https://${name}:${port}`);
  const identityPort = await listenOnLoopback(identityServer, options.identityPort ?? 0).catch(
    async (error: unknown) => {
      await closeServer(authorityServer);
      throw error;
    },
  );

  return {
    authorityHost,
    identityEndpoint: `http://127.0.0.1:${identityPort}${identityEndpointPath}`,
    verify: accessTokens.verify,
    putApplication: directory.putApplication,
    removeApplication: directory.removeApplication,
    rotateKeys: signingKeys.rotate,
    async issueToken(client, audience, claims = {}) {
      const { token } = await accessTokens.issue({
        client,
        resource: directory.requireResource(client.tenantId, audience),
        audience,
        proof: 'secret',
        lifetimeSeconds: tokenLifetimeSeconds,
        authority: authorityHost,
        claims,
      });
      return token;
    },
    async stop() {
      await Promise.all([closeServer(authorityServer), closeServer(identityServer)]);
    },
  };
}
