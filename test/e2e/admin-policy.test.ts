import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openState } from '../../src/local/open-state.ts';
import { prepareTutorial, type TutorialRuns } from '../support/tutorial.ts';

/** The policy that the documentation gives, as it stands there. */
const page = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8');
const policy = /```hcl\n([^`]*)```/.exec(page)?.[1] ?? '';

let tutorial: TutorialRuns;

beforeAll(async () => {
  tutorial = await prepareTutorial();
});

afterAll(() => tutorial.stop());

test('the tutorial needs no more than the policy that the documentation gives', async () => {
  const { tokens, policies } = openState(tutorial.platform);
  await policies.put('keymgmt-admin', policy);
  await tokens.put('hvs.keymgmt-admin', {
    accessor: randomUUID(),
    displayName: 'admin',
    policies: ['keymgmt-admin'],
    path: 'auth/token/create',
    orphan: true,
    renewable: false,
    meta: null,
    createdTime: new Date(),
    creationTtlSeconds: 600,
    expireTime: new Date(Date.now() + 600_000),
  });
  const config = await tutorial.localFile({ token: 'hvs.keymgmt-admin' });
  const { exitCode, stdout, stderr } = await tutorial.run(['--config', config]);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/All \d+ checks are true\./);
});
