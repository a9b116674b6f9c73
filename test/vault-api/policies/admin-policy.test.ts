import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createExistenceChecks } from '../../../src/vault-api/engines/existence.ts';
import { createKeyManagementEngine } from '../../../src/vault-api/engines/keymgmt.ts';
import type { KeyValue } from '../../../src/kv/index.ts';
import { parsePolicy } from '../../../src/vault-api/policies/policy-text.ts';
import { createWorld, openHouse, settle } from '../../support/house.ts';
import { createHarness } from '../support/harness.ts';

/** The policy that the documentation gives, as it stands there. */
const page = readFileSync(new URL('../../../docs/policies.md', import.meta.url), 'utf8');
const rules = parsePolicy(/```hcl\n([^`]*)```/.exec(page)?.[1] ?? '').map(({ path, capabilities }) => ({
  path,
  capabilities: [...capabilities],
}));

const provider = { provider: 'azurekeyvault', key_collection: 'learn-keyvault', credentials: { tenant_id: 't' } };

/** What the scenario asks for, in its order: the rule and the capability that it takes, and the request. */
const steps: [string, string, string, string, unknown?][] = [
  ['sys/mounts', 'read', 'GET', 'sys/mounts'],
  ['sys/mounts/keymgmt*', 'update', 'POST', 'sys/mounts/keymgmt', { type: 'keymgmt' }],
  ['keymgmt/*', 'create', 'PUT', 'keymgmt/key/rsa-1', { type: 'rsa-2048' }],
  ['keymgmt/*', 'read', 'GET', 'keymgmt/key/rsa-1'],
  ['keymgmt/*', 'create', 'PUT', 'keymgmt/kms/keyvault', provider],
  ['keymgmt/*', 'create', 'PUT', 'keymgmt/kms/keyvault/key/rsa-1', { purpose: 'encrypt,decrypt', protection: 'hsm' }],
  ['keymgmt/*', 'list', 'LIST', 'keymgmt/kms/keyvault/key'],
  ['keymgmt/*', 'read', 'GET', 'keymgmt/kms/keyvault/key/rsa-1'],
  ['keymgmt/*', 'update', 'PUT', 'keymgmt/key/rsa-1/rotate'],
  ['keymgmt/*', 'update', 'PUT', 'keymgmt/key/rsa-1', { min_enabled_version: 2 }],
  ['keymgmt/*', 'update', 'PUT', 'keymgmt/kms/keyvault', { credentials: { tenant_id: 't' } }],
  ['keymgmt/*', 'delete', 'DELETE', 'keymgmt/kms/keyvault/key/rsa-1'],
];

const every = rules.flatMap(({ path, capabilities }) => capabilities.map((capability) => [path, capability] as const));

test.each<readonly [string, string]>([['nothing', 'at all'], ...every])(
  'without %s: %s, its steps fail with 403 and no others',
  async (withoutPath, withoutCapability) => {
    const world = createWorld();
    const house = openHouse(world);
    const harness = await createHarness({
      engines: [createKeyManagementEngine(house)],
      existenceChecks: createExistenceChecks(house, {} as KeyValue),
    });
    const left = rules.map(({ path, capabilities }) => ({
      [path]: {
        capabilities: capabilities.filter((name) => path !== withoutPath || name !== withoutCapability),
      },
    }));
    await harness.call('PUT', '/v1/sys/policies/acl/admin', { body: { policy: JSON.stringify({ path: left }) } });
    await harness.putToken('hvs.admin', { policies: ['admin'], accessor: 'admin' });

    for (const [path, capability, method, target, body] of steps) {
      const answer = await harness.call(method, `/v1/${target}`, { token: 'hvs.admin', body });
      const refused = path === withoutPath && capability === withoutCapability;
      if (refused) {
        expect(answer.json.errors, `${method} ${target}`).toEqual(['1 error occurred:\n\t* permission denied\n\n']);
        await harness.call(method, `/v1/${target}`, { body });
      } else expect(answer.status, `${method} ${target} ${answer.body ?? ''}`).toBeLessThan(300);
      await settle(world, house);
    }
  },
);

test('every capability of the policy is needed by some step', () => {
  const needed = new Set(steps.map(([path, capability]) => `${path} ${capability}`));
  expect([...needed].toSorted()).toEqual(every.map(([path, capability]) => `${path} ${capability}`).toSorted());
});
