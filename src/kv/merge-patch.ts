import { isExactNumber } from '../exact-json.ts';

export type JsonObject = Record<string, unknown>;

/** RFC 7396: members of `patch` replace those of `target`, `null` removes, objects are merged. */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else if (isObject(value)) {
      const current = merged.get(name);
      merged.set(name, mergePatch(isObject(current) ? current : {}, value));
    } else merged.set(name, value);
  }
  return Object.fromEntries(merged);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value);
}

/**
 * The shape of a value without what is in it: objects as they are, everything else null.
 * @param depth of objects to show; 0 or less for all
 */
export function subkeysOf(value: JsonObject, depth: number): JsonObject {
  const inside = (member: unknown): JsonObject | null =>
    isObject(member) && Object.keys(member).length > 0 && depth !== 1 ? subkeysOf(member, depth - 1) : null;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, inside(member)]));
}
