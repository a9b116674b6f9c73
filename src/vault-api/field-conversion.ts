import { parseDuration } from './duration.ts';
import type { FieldType, FieldTypes } from './field-types.ts';
import { parseGoBoolean } from './go-boolean.ts';

type Converted<Value> = { value: Value } | { problem: string };

/** Vault's weak conversions. Problems never quote the value: it may be a secret. */
export const convert: { [Type in FieldType]: (sent: unknown) => Converted<FieldTypes[Type]> } = {
  string: toText,

  integer(sent) {
    const number = typeof sent === 'string' && /^[+-]?\d+$/.test(sent.trim()) ? Number(sent) : sent;
    if (typeof number === 'number' && Number.isSafeInteger(number)) return { value: number };
    return { problem: `expected an integer, got ${kindOf(sent)}` };
  },

  boolean(sent) {
    if (typeof sent === 'boolean') return { value: sent };
    const value = sent === 0 || sent === 1 ? sent === 1 : typeof sent === 'string' ? parseGoBoolean(sent) : undefined;
    return value === undefined ? { problem: `expected a boolean, got ${kindOf(sent)}` } : { value };
  },

  duration(sent) {
    const seconds = typeof sent === 'number' || typeof sent === 'string' ? parseDuration(sent) : undefined;
    if (seconds === undefined) return { problem: `expected a duration, got ${kindOf(sent)}` };
    return seconds < 0 ? { problem: 'cannot be negative' } : { value: seconds };
  },

  list(sent) {
    const items = typeof sent === 'string' ? (sent.trim() === '' ? [] : sent.split(',')) : sent;
    return toTexts(Array.isArray(items) ? items : [items], 'expected a list of strings');
  },

  pairs(sent) {
    if (isObject(sent)) {
      const names = Object.keys(sent);
      const texts = toTexts(Object.values(sent), 'expected a map of strings', false);
      if ('problem' in texts) return texts;
      return { value: Object.fromEntries(names.map((name, index) => [name, texts.value[index] ?? ''])) };
    }
    const texts = toTexts(Array.isArray(sent) ? sent : [sent], 'expected a map of strings', false);
    if ('problem' in texts) return texts;
    if (!texts.value.every((text) => text.includes('='))) return { problem: 'expected name=value' };
    return { value: Object.fromEntries(texts.value.map(splitPair)) };
  },

  map(sent) {
    return isObject(sent) ? { value: sent } : { problem: `expected a map, got ${kindOf(sent)}` };
  },
};

function toText(sent: unknown): Converted<string> {
  if (typeof sent === 'string') return { value: sent };
  if (typeof sent === 'boolean') return { value: sent ? '1' : '0' };
  if (typeof sent !== 'number') return { problem: `expected a string, got ${kindOf(sent)}` };
  // JSON numbers beyond this have already lost digits.
  if (Number.isInteger(sent) && !Number.isSafeInteger(sent)) return { problem: 'a number this large must be quoted' };
  return { value: String(sent) };
}

function toTexts(items: readonly unknown[], expectation: string, trimmed = true): Converted<string[]> {
  const texts: string[] = [];
  for (const item of items) {
    const text = toText(item);
    if ('problem' in text) return { problem: `${expectation}, got ${kindOf(item)}` };
    texts.push(trimmed ? text.value.trim() : text.value);
  }
  return { value: texts };
}

function splitPair(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value === '') return 'an empty string';
  if (typeof value === 'object') return 'a map';
  return `a ${typeof value}`;
}
