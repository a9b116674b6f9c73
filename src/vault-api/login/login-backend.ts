import type { LoginRole, LoginRoleStore } from '../../state/login-roles.ts';
import type { Token, TokenStore } from '../../state/tokens.ts';
import { type BuiltinMount, defineBuiltinRoute } from '../builtin.ts';
import { type CallerSignIn, type VerifiedCaller, verifyWith } from '../callers.ts';
import { invalidRequest } from '../errors.ts';
import { maximumTokenTtlSeconds, newToken } from '../token-create.ts';
import { authOf } from '../token-view.ts';
import { type LoginKindName, loginKinds } from './login-kinds.ts';
import { readRole, roleSchema, showRole } from './login-role.ts';

export interface LoginBackendOptions {
  kind: LoginKindName;
  loginRoles: LoginRoleStore;
  tokens: Pick<TokenStore, 'put'>;
  signIn: CallerSignIn;
  now: () => Date;
  newUuid: () => string;
}

/** Of tokens whose role says nothing. */
export const loginTtlSeconds = 3_600;

/** `auth/jwt/` and `auth/azure/`: tokens of the identity provider exchanged for tokens of ours, by role. */
export function createLoginBackend(options: LoginBackendOptions): BuiltinMount {
  const { kind: name, loginRoles, tokens, signIn, now, newUuid } = options;
  const kind = loginKinds[name];

  async function findRole(sent: string): Promise<{ roleName: string; role: LoginRole }> {
    const roleName = (sent === '' ? await loginRoles.defaultRole(name) : sent).toLowerCase();
    if (roleName === '') throw invalidRequest('missing role');
    const role = isStorable(roleName) ? await loginRoles.find(name, roleName) : undefined;
    if (role === undefined) throw invalidRequest(`role ${JSON.stringify(roleName)} could not be found`);
    return { roleName, role };
  }

  function checkBounds({ boundAudiences, boundClaims }: LoginRole, { claims }: VerifiedCaller): void {
    if (kind.bindsAudiences) {
      if (boundAudiences.length === 0) {
        throw invalidRequest('audience claim found in JWT but no audiences bound to the role');
      }
      if (!overlap(boundAudiences, claims.aud)) {
        throw invalidRequest('error validating claims: aud claim does not match any bound audience');
      }
    }
    for (const [claim, bound] of Object.entries(boundClaims)) {
      if (overlap(bound, claims[claim])) continue;
      const problem = claims[claim]?.length
        ? `claim "${claim}" does not match any associated bound claim values`
        : `claim "${claim}" is missing`;
      throw invalidRequest(`error validating claims: ${problem}`);
    }
  }

  function makeRecord(role: LoginRole, roleName: string, caller: VerifiedCaller): Token {
    const createdTime = now();
    const after = (seconds: number) => new Date(createdTime.getTime() + seconds * 1000);
    const longest = role.maxTtlSeconds || maximumTokenTtlSeconds;
    const ttlSeconds = Math.min(role.ttlSeconds || loginTtlSeconds, longest, maximumTokenTtlSeconds);
    return {
      accessor: newUuid(),
      displayName: `${name}-${caller.id.slice(caller.id.lastIndexOf('/') + 1)}`,
      policies: [...new Set([...(role.noDefaultPolicy ? [] : ['default']), ...role.policies])].toSorted(),
      path: `auth/${name}/login`,
      orphan: true,
      renewable: true,
      meta: { role: roleName },
      createdTime,
      creationTtlSeconds: ttlSeconds,
      expireTime: after(ttlSeconds),
      maximumExpireTime: after(Math.min(longest, maximumTokenTtlSeconds)),
    };
  }

  return {
    path: `auth/${name}/`,
    type: name,
    routes: [
      defineBuiltinRoute({
        path: 'login',
        synopsis: 'Exchanges a token of the identity provider for one of ours.',
        fields: {
          role: { type: 'string', description: 'Name of the role; the default role unless given.' },
          jwt: { type: 'string', description: 'The access token.' },
          ...Object.fromEntries(unusedLoginFields.map((field) => [field, unusedField])),
        },
        async write({ fields: { role: sentRole = '', jwt = '' } }) {
          if (jwt === '') throw invalidRequest('missing token');
          const { roleName, role } = await findRole(sentRole);
          const verified = await verifyWith(signIn, jwt.trim());
          if (verified.ok !== true) throw invalidRequest(`error validating token: ${verified.reason}`);
          checkBounds(role, verified.caller);
          const record = makeRecord(role, roleName, verified.caller);
          const token = newToken();
          await tokens.put(token, record);
          return { auth: authOf(token, record, record.createdTime) };
        },
      }),

      defineBuiltinRoute({
        path: 'role',
        synopsis: 'Lists the roles.',
        fields: {},
        list: async () => ({ keys: await loginRoles.list(name) }),
      }),

      defineBuiltinRoute({
        path: 'role/:name',
        synopsis: 'Creates, reads, changes or deletes a role: whose tokens it takes, and what it gives for them.',
        fields: roleSchema(kind),
        async read({ parameters }) {
          const role = await loginRoles.find(name, parameters.name.toLowerCase());
          return role && { data: showRole(kind, role) };
        },
        async write({ parameters, fields }) {
          const roleName = parameters.name.toLowerCase();
          const role = readRole(kind, fields, await loginRoles.find(name, roleName));
          await loginRoles.put(name, roleName, role);
          return {};
        },
        async delete({ parameters }) {
          await loginRoles.remove(name, parameters.name.toLowerCase());
          return {};
        },
      }),

      defineBuiltinRoute({
        path: 'config',
        synopsis: 'Reads or sets the default role. Tenant and audience are settings of the service.',
        fields: { default_role: { type: 'string', description: 'Role of logins that name none.' } },
        async read() {
          return { data: { default_role: await loginRoles.defaultRole(name) } };
        },
        async write({ fields: { default_role } }) {
          if (default_role === undefined) throw invalidRequest('only default_role can be configured');
          await loginRoles.setDefaultRole(name, default_role.toLowerCase());
          return {};
        },
      }),
    ],
  };
}

/** Sent by clients, and not needed: what they say is not vouched for by the token. */
const unusedLoginFields = [
  'distributed_claim_access_token',
  'subscription_id',
  'resource_group_name',
  'vm_name',
  'vmss_name',
  'resource_id',
];
const unusedField = { type: 'string', description: 'Ignored.' } as const;

function overlap(bound: readonly string[], found: readonly string[] = []): boolean {
  return found.some((value) => bound.includes(value));
}

/** A role's name comes from a body here, where anything can stand. */
function isStorable(name: string): boolean {
  return /^\w[\w.-]*$/.test(name) && name.length <= 200;
}
