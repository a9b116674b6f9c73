import { tagsOf, type Attributes } from './fields.ts';
import type { StoredVersion } from './object-store.ts';

/** What is absent stays as it is; tags that are present replace the whole map. Moves `updated`, never `created`. */
export function applyUpdate(
  version: StoredVersion,
  change: { attributes?: Attributes | undefined; tags?: Record<string, string> | undefined },
  atSeconds: number,
): void {
  if (change.attributes?.enabled !== undefined) version.enabled = change.attributes.enabled;
  if (change.attributes?.nbf !== undefined) version.notBefore = change.attributes.nbf;
  if (change.attributes?.exp !== undefined) version.expires = change.attributes.exp;
  if (change.tags) {
    delete version.tags;
    Object.assign(version, tagsOf(change.tags));
  }
  version.updated = atSeconds;
}
