/** Whether a route value satisfies an inline constraint such as `int` or `length(1,5)`. */
export type Constraint = (value: string) => boolean;

const guid = /^(?:[0-9a-f]{32}|[({]?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[)}]?)$/i;
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)$/;
const real = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|Infinity|NaN)$/i;

const plain: Readonly<Record<string, Constraint>> = {
  int: (value) => isWithin(value, -(2n ** 31n), 2n ** 31n - 1n),
  long: (value) => isWithin(value, -(2n ** 63n), 2n ** 63n - 1n),
  bool: (value) => /^(?:true|false)$/i.test(value),
  datetime: (value) => !Number.isNaN(Date.parse(value)),
  decimal: (value) => decimal.test(value),
  double: (value) => real.test(value),
  float: (value) => real.test(value),
  guid: (value) => guid.test(value),
  alpha: (value) => /^[a-z]*$/i.test(value),
  required: (value) => value !== '',
};

const withParameters: Readonly<Record<string, (parameters: string[]) => Constraint>> = {
  minlength:
    ([least]) =>
    (value) =>
      value.length >= Number(least),
  maxlength:
    ([most]) =>
    (value) =>
      value.length <= Number(most),
  length:
    ([least, most = least]) =>
    (value) =>
      value.length >= Number(least) && value.length <= Number(most),
  min:
    ([least = '0']) =>
    (value) =>
      isWithin(value, BigInt(least), 2n ** 63n - 1n),
  max:
    ([most = '0']) =>
    (value) =>
      isWithin(value, -(2n ** 63n), BigInt(most)),
  range:
    ([least = '0', most = '0']) =>
    (value) =>
      isWithin(value, BigInt(least), BigInt(most)),
};

/**
 * @param text as written in a template, without the colon
 * @throws Error for a constraint that routing doesn't know
 */
export function parseConstraint(text: string): Constraint {
  const [, name = '', parameters] = /^([^(]*)(?:\((.*)\))?$/s.exec(text) ?? [];
  const key = name.toLowerCase();
  if (key === 'regex' && parameters !== undefined) {
    const expression = new RegExp(parameters, 'i');
    return (value) => expression.test(value);
  }
  const constraint =
    parameters === undefined ? plain[key] : withParameters[key]?.(parameters.split(',').map((one) => one.trim()));
  if (!constraint) throw new Error(`The constraint '${text}' could not be resolved.`);
  return constraint;
}

function isWithin(value: string, least: bigint, most: bigint): boolean {
  if (!/^\s*[+-]?\d+\s*$/.test(value)) return false;
  const number = BigInt(value.trim().replace(/^\+/, ''));
  return number >= least && number <= most;
}
