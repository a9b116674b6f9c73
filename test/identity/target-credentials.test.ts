import { describe, expect, it } from 'vitest';
import { createClouds } from '../../src/identity/clouds.ts';
import { resolveTargetSignIn } from '../../src/identity/target-credentials.ts';

const clouds = createClouds({
  Airgapped: { authorityHost: 'https://login.airgapped', keyVaultDnsSuffix: 'vault.airgapped' },
});

const fields = ['tenant_id', 'client_id', 'client_secret', 'environment'] as const;
type Field = (typeof fields)[number];
type Source = 'variable' | 'provider' | 'both' | 'absent';
const sources: Source[] = ['variable', 'provider', 'both', 'absent'];

const variables: Record<Field, string> = {
  tenant_id: 'AZURE_TENANT_ID',
  client_id: 'AZURE_CLIENT_ID',
  client_secret: 'AZURE_CLIENT_SECRET',
  environment: 'AZURE_ENVIRONMENT',
};

const values = {
  variable: {
    tenant_id: 'tenant-v',
    client_id: 'id-v',
    client_secret: 'secret-v',
    environment: 'AzureUSGovernmentCloud',
  },
  provider: { tenant_id: 'tenant-p', client_id: 'id-p', client_secret: 'secret-p', environment: 'AzureChinaCloud' },
};

/** All 256 ways in which four fields can each come from a variable, the provider, both, or nowhere. */
const rows = sources.flatMap((tenant_id) =>
  sources.flatMap((client_id) =>
    sources.flatMap((client_secret) =>
      sources.map((environment) => ({ tenant_id, client_id, client_secret, environment })),
    ),
  ),
);

function resolve(row: Record<Field, Source>) {
  const given: Record<string, string> = {};
  const environment: Record<string, string> = {};
  for (const field of fields) {
    if (row[field] === 'provider' || row[field] === 'both') given[field] = values.provider[field];
    if (row[field] === 'variable' || row[field] === 'both') environment[variables[field]] = values.variable[field];
  }
  return resolveTargetSignIn(given, environment, clouds);
}

/** What must win, said without the code's help. */
function winner(field: Field, source: Source): string | undefined {
  if (source === 'absent') return undefined;
  return source === 'provider' ? values.provider[field] : values.variable[field];
}

describe('precedence of credentials: variable, then provider, then managed identity', () => {
  it.each(rows)('tenant $tenant_id, id $client_id, secret $client_secret, environment $environment', (row) => {
    if (row.tenant_id === 'absent') {
      expect(() => resolve(row)).toThrow(/tenant_id/);
      return;
    }
    const clientId = winner('client_id', row.client_id);
    const clientSecret = winner('client_secret', row.client_secret);
    const suffix = {
      variable: 'vault.usgovcloudapi.net',
      both: 'vault.usgovcloudapi.net',
      provider: 'vault.azure.cn',
      absent: 'vault.azure.net',
    }[row.environment];
    const signIn = resolve(row);
    expect(signIn.tenantId).toBe(winner('tenant_id', row.tenant_id));
    expect(signIn.cloud.keyVaultDnsSuffix).toBe(suffix);
    if (clientId !== undefined && clientSecret !== undefined) {
      expect(signIn).toMatchObject({ kind: 'client-secret', clientId, clientSecret });
    } else {
      expect(signIn).toMatchObject({ kind: 'managed-identity', ...(clientId !== undefined && { clientId }) });
      expect(signIn).not.toHaveProperty('clientSecret');
    }
  });
});

describe('credentials', () => {
  it('names every unknown key and what is known', () => {
    const given = { tenant_id: 't', secret: 'hunter2', resource: 'r' };
    expect(() => resolveTargetSignIn(given, {}, clouds)).toThrow(
      /unknown keys \[secret resource\].*tenant_id, client_id, client_secret, environment/,
    );
    expect(() => resolveTargetSignIn(given, {}, clouds)).not.toThrow(/hunter2/);
  });

  it('refuses an unknown cloud and names the known ones', () => {
    expect(() => resolveTargetSignIn({ tenant_id: 't', environment: 'AzureMarsCloud' }, {}, clouds)).toThrow(
      /environment "AzureMarsCloud".*AzurePublicCloud.*Airgapped/,
    );
  });

  it('takes cloud names in any case, and clouds of one’s own', () => {
    const of = (environment: string) => resolveTargetSignIn({ tenant_id: 't', environment }, {}, clouds).cloud;
    expect(of('AZUREPUBLICCLOUD').authorityHost).toBe('https://login.microsoftonline.com');
    expect(of('airgapped')).toEqual({
      authorityHost: 'https://login.airgapped',
      keyVaultDnsSuffix: 'vault.airgapped',
      isPublic: false,
    });
  });

  it('takes empty values for absent ones', () => {
    expect(() => resolveTargetSignIn({ tenant_id: '' }, { AZURE_TENANT_ID: '' }, clouds)).toThrow(/tenant_id/);
  });
});
