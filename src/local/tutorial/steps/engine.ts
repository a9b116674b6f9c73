import { engineType } from '../commands.ts';
import type { Tools } from '../context.ts';
import { mountsShape, statusShape } from '../shapes.ts';

/**
 * Looks at the service and enables an engine for this run alone.
 * @returns where it is mounted
 */
export async function enableEngine({ report, service }: Tools): Promise<string> {
  await report.step('See that the service is ready', async () => {
    const status = await service.get({ verb: 'status' }, statusShape);
    report.equal('initialized', status.initialized, true);
    report.equal('sealed', status.sealed, false);
  });

  return report.step('Enable the Key Management engine', async () => {
    const before = await service.get({ verb: 'list-mounts' }, mountsShape);
    const mount = freeMount(Object.keys(before));
    if (mount !== engineType) {
      report.note(`${engineType}/ is in use already and stays as it is: this run gets ${mount}/ with keys of its own.`);
    }
    await service.change({ verb: 'enable', mount });
    const after = await service.get({ verb: 'list-mounts' }, mountsShape);
    report.equal(`type of ${mount}/`, after[`${mount}/`]?.type, engineType);
    return mount;
  });
}

/** @returns the first of keymgmt, keymgmt-2, keymgmt-3... that isn't mounted yet. */
export function freeMount(mounted: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const mount = number === 1 ? engineType : `${engineType}-${number}`;
    if (!mounted.includes(`${mount}/`)) return mount;
  }
}
