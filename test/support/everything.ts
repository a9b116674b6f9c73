import { expect } from 'vitest';
import { keyClient, type Service } from './service.ts';
import { dumpTables } from './table-dump.ts';
import { seeContents } from './vault-contents.ts';

/** Every row of the state, every key in a vault, and how often the service asked a vault for something. */
export interface Everything {
  tables: string[];
  contents: unknown;
  calls: number;
}

/** Who looks into the vaults for the tests: those looks aren't counted. */
const developer = '52d9c3d8-6c0f-4a2e-9a51-0b8f2f7d5d02';

export async function everything({ platform }: Pick<Service, 'platform'>): Promise<Everything> {
  const calls = platform.keyVault.calls.filter(
    ({ vault: name, clientId }) => name !== 'keyfleet-home' && clientId !== developer,
  );
  // What instances say of themselves to each other comes and goes at its own pace.
  const tables = (await dumpTables(platform)).filter((line) => !line.startsWith('instances '));
  const contents = await Promise.all([...platform.vaults.keys()].map((name) => seeContents(keyClient(platform, name))));
  return { tables, contents, calls: calls.filter(({ operation }) => operation !== 'challenge').length };
}

/** Does something, and looks whether anything changed by it. */
export async function unchangedBy<T>(service: Pick<Service, 'platform'>, act: () => Promise<T>): Promise<T> {
  const before = await everything(service);
  const result = await act();
  expect(await everything(service)).toEqual(before);
  return result;
}
