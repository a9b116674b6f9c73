import type { StoredVersion } from '../object-store.ts';

export interface SecretVersion extends StoredVersion {
  value: string;
  contentType?: string;
}
