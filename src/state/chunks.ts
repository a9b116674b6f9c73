import type { Properties } from './table.ts';

/** Table Storage takes 64 KiB a binary property and 1 MiB an entity. */
const chunkBytes = 64 * 1024;

/** Spreads bytes over as many properties as they need: `<name>0`, `<name>1`, ... and their number in `<name>Chunks`. */
export function toChunks(name: string, bytes: Uint8Array): Properties {
  const properties: Properties = { [`${name}Chunks`]: Math.ceil(bytes.length / chunkBytes) };
  for (let index = 0; index * chunkBytes < bytes.length; index++) {
    properties[`${name}${index}`] = bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
  }
  return properties;
}

/** @returns undefined if nothing was stored under the name */
export function fromChunks(name: string, properties: Properties): Buffer | undefined {
  const count = properties[`${name}Chunks`];
  if (typeof count !== 'number') return undefined;
  return Buffer.concat(Array.from({ length: count }, (_, index) => properties[`${name}${index}`] as Uint8Array));
}
