import type { AnyRoute } from './dispatch.ts';
import { jsonResponse, type VaultResponse } from './protocol.ts';

/** Answers `?help=1` in the bare form that `vault path-help` prints. */
export function renderHelp<Context>(route: AnyRoute<Context>): VaultResponse {
  const parameters = Object.entries(route.fields).map(
    ([name, { type, description }]) => `    ${name} (${type})\n        ${description}\n`,
  );
  const operations = (['read', 'list', 'write', 'delete'] as const).filter((name) => route[name] !== undefined);
  const lines = [
    `Path:        ${route.path}`,
    `Operations:  ${operations.join(', ')}`,
    ...(route.supportsDryRun === true ? ['Dry run:     add dry_run=true to see what would change'] : []),
    '',
    route.synopsis,
    ...(parameters.length === 0 ? [] : ['', '## PARAMETERS', '', ...parameters]),
  ];
  return jsonResponse(200, { help: lines.join('\n'), see_also: [] });
}
