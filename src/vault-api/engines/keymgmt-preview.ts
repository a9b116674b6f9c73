import type { CopyPreview, Preview } from '../../keymgmt/previews.ts';
import type { Reply } from '../engine.ts';

type PlannedStep = CopyPreview['steps'][number];

/** The answer to a dry run: what would change in Keyfleet, and what each vault would be made to do. */
export async function previewReply(preview: Promise<Preview>): Promise<Reply> {
  const { changes, copies } = await preview;
  return { data: { dry_run: true, changes, vaults: vaultsOf(copies) } };
}

function vaultsOf(copies: readonly CopyPreview[]): Record<string, unknown> {
  const byProvider = [...Map.groupBy(copies, ({ provider }) => provider)];
  return Object.fromEntries(byProvider.map(([provider, ofProvider]) => [provider, vaultData(ofProvider)]));
}

function vaultData(copies: readonly CopyPreview[]): Record<string, unknown> {
  return {
    key_collection: copies[0]?.keyCollection,
    keys: Object.fromEntries(
      copies.map(({ key, kmsName, steps }) => [
        key,
        { name: kmsName, steps: steps.map((step) => stepData(step, kmsName)) },
      ]),
    ),
  };
}

function stepData(step: PlannedStep, kmsName: string): Record<string, unknown> {
  return { ...actionOf(step, kmsName), ...(step.conditional && { conditional: true }) };
}

function actionOf(step: PlannedStep, kmsName: string): Record<string, unknown> {
  switch (step.kind) {
    case 'import': {
      const { version, enabled, conditional } = step;
      const condition = conditional ? ', unless an earlier try turns out to have done it' : '';
      const description = `import version ${version}, ${enabled ? 'enabled' : 'disabled'}${condition}`;
      return { action: 'import', version, enabled, description };
    }
    case 'set-enabled': {
      const { version, kmsVersion, enabled } = step;
      const action = enabled ? 'enable' : 'disable';
      return { action, version, kms_version: kmsVersion, description: `${action} version ${version}` };
    }
    case 'mend': {
      const { version, kmsVersion } = step;
      const description = `give version ${version} the operations and tags that it should have`;
      return { action: 'mend', version, kms_version: kmsVersion, description };
    }
    case 'restore': {
      const description = `recover key ${kmsName}, or import all its versions again where that can't be`;
      return { action: 'restore', description };
    }
    case 'remove':
      return { action: 'delete', description: `delete key ${kmsName}${step.conditional ? ' if it is there' : ''}` };
  }
}
