/**
 * Which room may import which. Arrows point down only:
 * functions -> app -> vault-api -> domain rooms -> reconcile -> key-vault, state, messaging, identity.
 */
const azurePackage = (names) => `node_modules/@azure/(${names})/`;
const room = (names) => `^src/(${names})/`;

const services = 'key-vault|state|messaging|identity';
const domains = 'keymgmt|kv|secrets-sync|key-manager';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'local-is-never-deployed',
      comment: 'Nothing outside src/local may know that it exists.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/local/' },
      to: { path: '^src/local/' },
    },
    {
      name: 'only-the-composition-root-sees-all',
      comment: 'app.ts wires rooms together; only the triggers (and the local platform) may import it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app\\.ts|functions/|local/)' },
      to: { path: '^src/(app|settings|targets)\\.ts$' },
    },
    {
      name: 'triggers-are-the-top',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/functions/' },
      to: { path: '^src/functions/' },
    },
    {
      name: 'vault-api-is-above-the-domains',
      severity: 'error',
      from: { path: room(`${domains}|reconcile|${services}`) },
      to: { path: '^src/vault-api/' },
    },
    {
      name: 'domains-do-not-import-each-other',
      severity: 'error',
      from: { path: `^src/(${domains})/` },
      to: { path: `^src/(${domains})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'reconcile-is-below-the-domains',
      severity: 'error',
      from: { path: room(`reconcile|${services}`) },
      to: { path: room(domains) },
    },
    {
      name: 'services-are-the-bottom',
      severity: 'error',
      from: { path: room(services) },
      to: { path: '^src/reconcile/' },
    },
    {
      name: 'services-do-not-import-each-other',
      comment: 'What one needs of another is handed in by app.ts.',
      severity: 'error',
      from: { path: `^src/(${services})/` },
      to: { path: `^src/(${services})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'vault-api-knows-no-azure',
      severity: 'error',
      from: { path: '^src/vault-api/' },
      to: { path: '^src/(key-vault|messaging|identity|reconcile)/|node_modules/@azure/' },
    },
    {
      name: 'azure-functions-only-in-triggers',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(functions|local)/' },
      to: { path: azurePackage('functions') },
    },
    {
      name: 'key-vault-packages-only-in-key-vault',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(key-vault|local)/' },
      to: { path: azurePackage('keyvault-[a-z]+') },
    },
    {
      name: 'tables-only-in-state',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(state|local)/' },
      to: { path: azurePackage('data-tables') },
    },
    {
      name: 'service-bus-only-in-messaging',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(messaging|local)/' },
      to: { path: azurePackage('service-bus') },
    },
    {
      name: 'credentials-only-in-identity',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(identity|local)/' },
      to: { path: azurePackage('identity') },
    },
    {
      name: 'production-needs-no-dev-dependency',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/local/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-unresolved-imports',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@azure/functions-core$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
