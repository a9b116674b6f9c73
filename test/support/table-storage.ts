import { afterAll, beforeAll } from 'vitest';
import type { Table } from '../../src/state/table.ts';
import { openAzurite, startDirectory } from './stand-ins.ts';

/**
 * Runs Table Storage for the tests of the file or block that calls this.
 * @returns opens a table, as soon as the tests run
 */
export function useTableStorage(): (name: string) => Table {
  let openTable: ((name: string) => Table) | undefined;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const directory = await startDirectory();
    stops.unshift(() => directory.entra.stop());
    const azurite = await openAzurite(directory);
    stops.unshift(() => azurite.stop());
    openTable = azurite.openTable;
  });

  afterAll(async () => {
    for (const stop of stops) await stop();
  });

  return (name) => {
    if (openTable === undefined) throw new Error('Table Storage is not running yet');
    return openTable(name);
  };
}
