import type { KeyStore } from '../../state/keys.ts';
import { tagNames } from '../version-marks.ts';
import type { Visit } from './examine.ts';
import type { Stranger } from './listing.ts';

/** More extras than this are counted, not named. */
const mostExtras = 100;

/** @returns what finds the keys in a vault that bear the provider's tag and belong to no distribution */
export function createExtras({ keys }: { keys: KeyStore }) {
  /**
   * A key that seems to be extra may have been distributed or removed while the list was made. Only those that will be
   * named are looked into; they stay the same for as long as they are there.
   */
  async function confirm(
    visit: Visit,
    strangers: readonly Stranger[],
    known: readonly string[],
  ): Promise<{ extras: readonly string[]; extraCount: number }> {
    const knownNames = new Set(known);
    const extras = strangers.map(({ name }) => name).filter((name) => knownNames.has(name));
    let extraCount = strangers.length;
    for (const { name, key } of strangers) {
      if (extras.length >= mostExtras) break;
      if (knownNames.has(name)) continue;
      if (!(await isDistributed(visit, name, key)) && (await isStillThere(visit, name))) extras.push(name);
      else extraCount--;
    }
    return { extras, extraCount };
  }

  async function isDistributed({ reference }: Visit, name: string, key: string): Promise<boolean> {
    const state = await keys.read({ mount: reference.mount, key });
    const entry = state?.distributions.find(({ distribution }) => distribution.provider === reference.provider);
    return entry?.distribution.kmsName === name;
  }

  async function isStillThere({ reference, vault }: Visit, name: string): Promise<boolean> {
    const owner = (await vault.getKey(name))?.tags[tagNames.owner];
    return owner?.startsWith(`${reference.mount}/${reference.provider}/`) ?? false;
  }

  return { confirm };
}
