import { createCallerVerification } from '../../src/identity/callers.ts';
import { administratorApplication, apiAudience, startPlatform, tenantId } from '../../src/local/platform/index.ts';
import { seedRootToken } from '../../src/local/seed.ts';
import { policiesOfRoles } from '../../src/vault-api/policies/built-in.ts';
import { createPolicies } from '../../src/vault-api/policies/policies.ts';
import type { Benchmark } from '../harness/benchmark.ts';
import { figure, ratio } from '../harness/figures.ts';
import { printErrors } from '../harness/host-log.ts';
import { interleave } from '../harness/interleave.ts';
import { quantile } from '../harness/statistics.ts';
import { createVaultClient } from '../harness/vault-client.ts';

const warmUps = 100;
const rounds = 10;
const requestsPerRound = 100;

/** What it costs to know who asks and what that caller may do, beside the request that it is done for. */
export const authentication: Benchmark = {
  name: 'authentication',
  measures: 'verifying a caller and deciding by policy, as a share of a GET of a key; keys of Entra known already',
  async run({ progress }) {
    await using stack = new AsyncDisposableStack();
    const platform = await startPlatform({ seed: seedRootToken });
    stack.defer(() => platform.stop());
    const host = await platform.startHost({ log: printErrors, settings: { KEYFLEET_REQUESTS_PER_SECOND: '1000000' } });
    const token = await platform.entra.issueToken(administratorApplication, apiAudience);
    const withRoot = createVaultClient(host.url, platform.rootToken);
    const withEntra = createVaultClient(host.url, token);
    await withRoot.call('POST', 'sys/mounts/keymgmt', { type: 'keymgmt' });
    await withRoot.call('POST', 'keymgmt/key/measured', { type: 'rsa-2048' });

    const now = () => new Date();
    const verify = createCallerVerification({
      tenantId,
      audience: apiAudience,
      authorityHost: platform.entra.authorityHost,
      now,
    });
    const policies = createPolicies({ store: { find: async () => undefined } });
    const decide = async () => {
      const verified = await verify(token);
      if (!verified.ok) throw new Error(verified.reason);
      const acl = await policies.aclOf(policiesOfRoles(verified.caller.roles), async () => []);
      if (!acl.allows('read', 'keymgmt/key/measured')) throw new Error('the administrator may not read a key');
    };
    const variants = {
      decide,
      entra: () => withEntra.call('GET', 'keymgmt/key/measured'),
      stored: () => withRoot.call('GET', 'keymgmt/key/measured'),
    };
    for (let count = 0; count < warmUps; count++) for (const variant of Object.values(variants)) await variant();
    progress(`${warmUps} of each to warm up`);

    const times: Record<keyof typeof variants, number[]> = { decide: [], entra: [], stored: [] };
    for (let round = 0; round < rounds; round++) {
      const taken = await interleave(requestsPerRound, {
        decide: () => time(variants.decide),
        entra: () => time(variants.entra),
        stored: () => time(variants.stored),
      });
      times.decide.push(quantile(taken.decide, 0.5));
      times.entra.push(quantile(taken.entra, 0.5));
      times.stored.push(quantile(taken.stored, 0.5));
      progress(`round ${round + 1} of ${rounds}`);
    }
    return [
      ratio('verifying and deciding / request with an Entra token, p50', times.decide, times.entra, { atMost: 0.1 }),
      ratio('request with a stored token / with an Entra token, p50', times.stored, times.entra),
      figure('verifying and deciding, p50', 'ms', times.decide),
      figure('request with an Entra token, p50', 'ms', times.entra),
      figure('request with a stored token, p50', 'ms', times.stored),
    ];
  },
};

async function time(run: () => Promise<unknown>): Promise<number> {
  const startTime = performance.now();
  await run();
  return performance.now() - startTime;
}
