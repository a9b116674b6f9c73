/** The parameters in a route's path: `:name` and `*name`. */
export type PathParameters<Path extends string> = {
  readonly [Name in ParameterName<Path>]: string;
};

type ParameterName<Path extends string> = string extends Path
  ? string
  : Path extends `${infer Segment}/${infer Rest}`
    ? NameIn<Segment> | ParameterName<Rest>
    : NameIn<Path>;

type NameIn<Segment extends string> = Segment extends `:${infer Name}` | `*${infer Name}` ? Name : never;

/** Vault's usual name: letters, digits and `_`, inside also `-` and `.`. */
const namePattern = /^\w([\w.-]*\w)?$/;

export function isName(text: string): boolean {
  return namePattern.test(text);
}

/**
 * Matches a path relative to its mount, without leading or trailing slash.
 * @returns the parameters, or undefined if the path is another one
 */
export function matchRoutePath(pattern: string, path: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  const wanted = pattern.split('/');
  const segments = path.split('/');
  const restAt = wanted.findIndex((segment) => segment.startsWith('*'));
  const spare = segments.length - wanted.length;
  if (spare < 0 || (restAt < 0 && spare > 0)) return undefined;

  let position = 0;
  for (const [index, expected] of wanted.entries()) {
    const length = index === restAt ? spare + 1 : 1;
    const found = segments.slice(position, position + length).join('/');
    position += length;
    if (expected.startsWith('*')) {
      if (found === '') return undefined;
      parameters.set(expected.slice(1), found);
    } else if (expected.startsWith(':')) {
      if (!isName(found)) return undefined;
      parameters.set(expected.slice(1), found);
    } else if (expected !== found) {
      return undefined;
    }
  }
  return parameters;
}
