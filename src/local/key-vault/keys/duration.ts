/** A span of calendar time, as in ISO 8601 `P1Y2M10D`. */
export interface Duration {
  years: number;
  months: number;
  days: number;
}

/** @returns undefined for anything but years, months and days, of which one at least must be there */
export function parseDuration(text: string): Duration | undefined {
  const match = /^P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?$/.exec(text);
  if (!match) return undefined;
  const [years, months, days] = [match[1], match[2], match[3]].map((digits) => Number(digits ?? 0));
  return { years: years ?? 0, months: months ?? 0, days: days ?? 0 };
}

/** For comparisons: a year is 365 days and a month 30. */
export const roughDays = ({ years, months, days }: Duration): number => years * 365 + months * 30 + days;

/** @param sign 1 to add, -1 to take away. @returns Unix seconds */
export function shift(atSeconds: number, { years, months, days }: Duration, sign: 1 | -1): number {
  const date = new Date(atSeconds * 1000);
  date.setUTCFullYear(date.getUTCFullYear() + sign * years);
  date.setUTCMonth(date.getUTCMonth() + sign * months);
  date.setUTCDate(date.getUTCDate() + sign * days);
  return Math.floor(date.getTime() / 1000);
}
