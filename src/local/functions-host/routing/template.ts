import { type Constraint, parseConstraint } from './constraints.ts';

export type RouteValues = Record<string, string>;

/** @param path decoded, beginning with a slash. @returns undefined when the path doesn't match. */
export type RouteMatcher = (path: string) => RouteValues | undefined;

interface Parameter {
  kind: 'parameter';
  name: string;
  isOptional: boolean;
  isCatchAll: boolean;
  defaultValue: string | undefined;
  constraints: Constraint[];
}

interface Literal {
  kind: 'literal';
  text: string;
}

/** More than one part between two slashes, e.g. `{name}.{extension}`. */
interface Complex {
  kind: 'complex';
  pattern: RegExp;
  parameters: Parameter[];
}

type Segment = Parameter | Literal | Complex;

/** A template that the router refuses, which stops the whole host. */
export class InvalidTemplate extends Error {
  override readonly name = 'InvalidTemplate';
}

/**
 * Compiles an ASP.NET route template: literals without regard to case, `{name}`, `{name?}`, `{name=value}`, `{*rest}`,
 * inline constraints, and segments of several parts.
 * @throws InvalidTemplate for a catch-all that isn't last
 * @throws Error for an unknown constraint
 */
export function compileTemplate(template: string): RouteMatcher {
  const segments = splitSegments(template).map(parseSegment);
  const misplaced = segments.findIndex((one) => one.kind === 'parameter' && one.isCatchAll);
  if (misplaced >= 0 && misplaced < segments.length - 1) {
    throw new InvalidTemplate(`A catch-all parameter can only appear as the last segment of '${template}'.`);
  }
  return (path) => {
    const values = match(segments, path);
    return values && satisfies(segments, values) ? values : undefined;
  };
}

/** Braces may hold slashes, in a regex constraint for example. */
function splitSegments(template: string): string[] {
  const trimmed = template.replace(/^~?\//, '').replace(/\/$/, '');
  if (trimmed === '') return [];
  return trimmed.match(/(?:\{(?:[^{}]|\{\{|\}\})*\}|[^/{])+/g) ?? [];
}

function parseSegment(text: string): Segment {
  const parts = text.match(/\{(?:[^{}]|\{\{|\}\})*\}|[^{]+/g) ?? [];
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) {
    return only.startsWith('{') ? parseParameter(only) : { kind: 'literal', text: only.toLowerCase() };
  }
  const parameters: Parameter[] = [];
  const pattern = parts.map((part) => {
    if (!part.startsWith('{')) return RegExp.escape(part);
    parameters.push(parseParameter(part));
    return '(.+)';
  });
  return { kind: 'complex', pattern: new RegExp(`^${pattern.join('')}$`, 'is'), parameters };
}

function parseParameter(part: string): Parameter {
  const inner = part.slice(1, -1).replaceAll('{{', '{').replaceAll('}}', '}');
  const [, stars = '', name = '', rest = ''] = /^(\**)([^:=?]+)(.*)$/s.exec(inner) ?? [];
  const [, constraints = '', defaultValue, question] =
    /^((?::[^(:=?]*(?:\(.*?\)(?=[:=?]|$))?)*)(?:=([^?]*))?(\?)?$/s.exec(rest) ?? [];
  return {
    kind: 'parameter',
    name,
    isCatchAll: stars !== '',
    isOptional: question !== undefined,
    defaultValue,
    constraints: (constraints.match(/:[^(:]*(?:\(.*?\)(?=:|$))?/gs) ?? []).map((one) => parseConstraint(one.slice(1))),
  };
}

function match(segments: readonly Segment[], path: string): RouteValues | undefined {
  const values: RouteValues = {};
  let index = 0;
  for (const { text, offset } of tokens(path)) {
    // An empty segment matches nothing, except inside a catch-all that began before it.
    if (text === '') return undefined;
    const segment = segments[index++];
    if (!segment) return undefined;
    if (segment.kind === 'literal') {
      if (segment.text !== text.toLowerCase()) return undefined;
    } else if (segment.kind === 'complex') {
      const found = segment.pattern.exec(text);
      if (!found) return undefined;
      segment.parameters.forEach((parameter, position) => (values[parameter.name] = found[position + 1] ?? ''));
    } else if (segment.isCatchAll) {
      values[segment.name] = path.slice(offset);
      return values;
    } else values[segment.name] = text;
  }
  for (const segment of segments.slice(index)) {
    if (segment.kind !== 'parameter') return undefined;
    if (segment.defaultValue !== undefined) values[segment.name] = segment.defaultValue;
    else if (!segment.isOptional && !segment.isCatchAll) return undefined;
  }
  return values;
}

/** The texts between slashes; the slash at the end of a path makes no segment of its own. */
function* tokens(path: string): Generator<{ text: string; offset: number }> {
  let offset = 1;
  while (offset < path.length) {
    const slash = path.indexOf('/', offset);
    const end = slash < 0 ? path.length : slash;
    yield { text: path.slice(offset, end), offset };
    offset = end + 1;
  }
}

function satisfies(segments: readonly Segment[], values: RouteValues): boolean {
  const parameters = segments.flatMap((one) =>
    one.kind === 'complex' ? one.parameters : one.kind === 'parameter' ? [one] : [],
  );
  return parameters.every(({ name, constraints }) => {
    const value = values[name];
    return value === undefined || constraints.every((constraint) => constraint(value));
  });
}
