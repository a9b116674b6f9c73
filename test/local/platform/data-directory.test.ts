import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TableClient } from '@azure/data-tables';
import { KeyClient } from '@azure/keyvault-keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Platform } from '../../../src/local/platform/index.ts';
import { startPlatform } from '../../../src/local/platform/index.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyfleet-data-'));
});

afterAll(() => rm(directory, { recursive: true }));

const homeVault = ({ settings, serviceCredential }: Platform) =>
  new KeyClient(settings.KEYFLEET_HOME_VAULT_URI ?? '', serviceCredential);
const vault = ({ vaults, developer }: Platform) =>
  new KeyClient(vaults.get('learn-keyvault') ?? '', developer.credential, {
    disableChallengeResourceVerification: true,
  });

describe('a data directory', () => {
  it('keeps vaults, tables and certificates for the next start', async () => {
    const first = await startPlatform({ dataDirectory: directory });
    const key = await vault(first).createKey('kept', 'EC');
    const rootKey = await homeVault(first).getKey('keyfleet-root');
    const table = new TableClient(first.tables, 'sometable', first.serviceCredential);
    await table.createTable();
    await table.createEntity({ partitionKey: 'p', rowKey: 'kept' });
    await first.stop();

    const second = await startPlatform({ dataDirectory: directory });
    try {
      expect((await vault(second).getKey('kept')).properties.version).toBe(key.properties.version);
      expect((await homeVault(second).getKey('keyfleet-root')).id).toBe(rootKey.id);
      const restored = new TableClient(second.tables, 'sometable', second.serviceCredential);
      expect(await restored.getEntity('p', 'kept')).toMatchObject({ rowKey: 'kept' });
      expect(second.ca).toBe(first.ca);
    } finally {
      await second.stop();
    }
  });

  it('holds nothing secret that others may read', async () => {
    expect((await readdir(directory)).sort()).toEqual([
      'ca.pem',
      'certificates.json',
      'key-vault-port',
      'key-vault.bin',
      'tables.json',
    ]);
    for (const file of ['certificates.json', 'key-vault.bin']) {
      expect((await stat(join(directory, file))).mode & 0o077).toBe(0);
    }
  });
});
