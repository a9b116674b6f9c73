import { isKeyfleetError } from '../errors.ts';
import type { BuiltinReply } from './builtin.ts';
import { refuseDryRun } from './dry-run.ts';
import type { ListReply, Reply, RouteOf, RouteRequest } from './engine.ts';
import { hasContent } from './envelope.ts';
import { invalidRequest, nothingThere, unsupportedOperation, unsupportedPath } from './errors.ts';
import type { FieldSchema, RawFields } from './field-types.ts';
import { convertFields } from './fields.ts';
import type { RequestedOperation } from './operations.ts';
import type { Operation } from './protocol.ts';
import { matchRoutePath } from './route-path.ts';

export type AnyRoute<Context> = RouteOf<string, FieldSchema, Context, BuiltinReply>;

export interface MatchedRoute<Context> {
  route: AnyRoute<Context>;
  parameters: ReadonlyMap<string, string>;
}

/**
 * Finds the route for a path relative to its mount. Only routes that list are asked for lists: in Vault the folder `a/`
 * isn't the entry `a`.
 * @throws KeyfleetError 404 `unsupported path`
 */
export function matchRoute<Context>(
  routes: readonly AnyRoute<Context>[],
  path: string,
  operation: RequestedOperation,
): MatchedRoute<Context> {
  for (const route of routes) {
    if (operation === 'list' && route.list === undefined) continue;
    const parameters = matchRoutePath(route.path, path);
    if (parameters !== undefined) return { route, parameters };
  }
  throw unsupportedPath();
}

/**
 * Calls the handler of a matched route with converted fields.
 * @throws KeyfleetError 405 if it has none for the operation, 400 for bad fields or a dry run that it doesn't know, 404
 * if there is nothing to read
 */
export async function callRoute<Context>(
  { route, parameters }: MatchedRoute<Context>,
  operation: Operation,
  { fields: raw, dryRun }: { fields: RawFields; dryRun: boolean },
  context: Context,
): Promise<BuiltinReply> {
  if (route[operation] === undefined) throw unsupportedOperation();
  if (dryRun && route.supportsDryRun !== true) refuseDryRun();
  const fields = convertFields(route.fields, raw);
  const reply = await callHandler(route, operation, { ...context, parameters: Object.fromEntries(parameters), fields });
  if (!hasContent(reply)) return reply;
  return { ...reply, warnings: [...(reply.warnings ?? []), ...fieldWarnings(route.fields, raw, parameters)] };
}

async function callHandler<Context>(
  route: AnyRoute<Context>,
  operation: Operation,
  request: RouteRequest<string, FieldSchema, Context>,
): Promise<BuiltinReply> {
  const reading = operation === 'read' || operation === 'list';
  try {
    const reply = operation === 'list' ? asReply(await route.list?.(request)) : await route[operation]?.(request);
    if (reply !== undefined) return reply;
  } catch (error) {
    // Clients take a 404 on a read for "there is nothing", whatever its message says.
    if (!reading || !isKeyfleetError(error, 'not_found')) throw error;
  }
  throw nothingThere();
}

/** A list is one answer: more than this would neither fit nor be read. */
const mostKeys = 100_000;

function asReply(list: ListReply | undefined): Reply | undefined {
  if (list === undefined) return undefined;
  const { keys, keyInfo, warnings = [] } = list;
  if (keys.length > mostKeys) throw invalidRequest(`there are ${keys.length} keys where a list may have ${mostKeys}`);
  if (keys.length === 0) return warnings.length === 0 ? undefined : { warnings, notFound: 'with-content' };
  return { data: { keys: keys.toSorted(), ...(keyInfo && { key_info: keyInfo }) }, warnings };
}

function fieldWarnings(schema: FieldSchema, raw: RawFields, parameters: ReadonlyMap<string, string>): string[] {
  const names = [...raw.keys()].toSorted();
  const replaced = names.filter((name) => parameters.has(name));
  const ignored = names.filter((name) => !parameters.has(name) && !Object.hasOwn(schema, name));
  const warnings: string[] = [];
  if (ignored.length > 0) {
    warnings.push(`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`);
  }
  if (replaced.length > 0) {
    warnings.push(
      `Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [${replaced.join(' ')}]`,
    );
  }
  return warnings;
}
