import { compileTemplate, type RouteMatcher, type RouteValues } from './template.ts';

export interface HttpFunction {
  name: string;
  /** Template below the route prefix; the function's name when its registration gives none. */
  route: string;
  methods: readonly string[];
}

export interface Refusal {
  name: string;
  reason: string;
}

export interface RouteTable<Function extends HttpFunction> {
  /** Functions that the host doesn't serve, and why. */
  readonly refused: readonly Refusal[];
  readonly served: readonly Function[];
  /** @param path decoded, beginning with a slash */
  find(method: string, path: string): { route: Function; values: RouteValues } | undefined;
}

interface Entry<Function> {
  route: Function;
  methods: ReadonlySet<string>;
  template: string;
  matcher: RouteMatcher;
}

const reserved = /^\/*(?:admin|runtime)/i;

/**
 * The host's router: the first function *by name* whose template and methods match answers. Nothing else ranks:
 * neither the order of registration nor how specific a template is.
 * @throws InvalidTemplate for a template that stops the whole host
 */
export function createRouteTable<Function extends HttpFunction>(
  functions: readonly Function[],
  routePrefix: string,
): RouteTable<Function> {
  const refused: Refusal[] = [];
  const entries: Entry<Function>[] = [];
  for (const route of functions.toSorted(byName)) {
    const template = [routePrefix, route.route.replace(/^\//, '')].filter(Boolean).join('/');
    const methods = new Set(route.methods.map((method) => method.toUpperCase()));
    const twin = entries.find((one) => one.template === template.toLowerCase() && !one.methods.isDisjointFrom(methods));
    if (reserved.test(route.route))
      refused.push({ name: route.name, reason: `The route '${route.route}' is reserved.` });
    else if (twin) refused.push({ name: route.name, reason: `'${twin.route.name}' has the same route and methods.` });
    else entries.push({ route, methods, template: template.toLowerCase(), matcher: compileTemplate(template) });
  }
  return {
    refused,
    served: entries.map(({ route }) => route),
    find(method, path) {
      const wanted = method.toUpperCase();
      for (const { route, methods, matcher } of entries) {
        if (!methods.has(wanted)) continue;
        const values = matcher(path);
        if (values) return { route, values };
      }
      return undefined;
    },
  };
}

/** Ordinal without regard to case, upper case deciding: an underscore comes after the letters. */
function byName(a: HttpFunction, b: HttpFunction): number {
  const [left, right] = [a.name.toUpperCase(), b.name.toUpperCase()];
  return left < right ? -1 : left > right ? 1 : 0;
}
