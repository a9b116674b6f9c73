const secondsPerUnit = new Map([
  ['ns', 1e-9],
  ['us', 1e-6],
  ['µs', 1e-6],
  ['ms', 1e-3],
  ['s', 1],
  ['m', 60],
  ['h', 3_600],
  ['d', 86_400],
]);

/**
 * Reads a duration as Vault does: whole seconds, or Go's notation with days in addition (`1h30m`, `2d`).
 * @returns whole seconds, rounded towards zero; undefined if it isn't a duration
 */
export function parseDuration(sent: string | number): number | undefined {
  if (typeof sent === 'number') return Number.isSafeInteger(sent) ? sent : undefined;
  const [, sign = '', text = ''] = /^([+-]?)(.*)$/.exec(sent.trim()) ?? [];
  const factor = sign === '-' ? -1 : 1;
  if (/^\d+$/.test(text)) return asSafeInteger(factor * Number(text));
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d*)?)([a-zµ]+)/g)) {
    seconds += Number(amount) * (secondsPerUnit.get(unit) ?? NaN);
  }
  return asSafeInteger(Math.trunc(factor * seconds));
}

function asSafeInteger(seconds: number): number | undefined {
  return Number.isSafeInteger(seconds) ? seconds + 0 : undefined;
}
