import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, longest first. One of them that began last would run on alone, its neighbours' cores idle. */
const longest = [
  'e2e/tutorial.',
  'keymgmt/histories.',
  'keymgmt/real-',
  'keymgmt/oddities/real-',
  'reconcile/drift/real-',
  'chaos/chaos.',
  'e2e/queue.',
  'messaging/dead-letters-contract.',
  'e2e/credentials.',
  'keymgmt/cuts.',
  'e2e/lifecycle.',
  'e2e/dead-letters.',
  'kv/histories.',
  'e2e/failing-platform.',
  'e2e/refusals.',
  'keymgmt/instances.',
  'keymgmt/messages.',
  'local/platform/',
  'local/azure/',
  'local/functions-host/life.',
  'keymgmt/key-pool-histories.',
  'keymgmt/oddities/lists.',
  'keymgmt/previews.',
  'reconcile/drift/histories.',
  'functions/poison.',
  'e2e/',
  'local/functions-host/',
  'key-vault/faults.',
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const index = longest.findIndex((name) => moduleId.includes(`/test/${name}`));
  return index < 0 ? longest.length : index;
};

/** The order of files. A class is what vitest asks for. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    return others.toSorted((left, right) => rankOf(left) - rankOf(right));
  }
}
