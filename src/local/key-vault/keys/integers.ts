/** Big-endian unsigned bytes as an integer. */
export const integerOf = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

/** @param length pads with leading zeros to this many bytes; absent: as short as possible */
export function bytesOf(value: bigint, length = 0): Buffer {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return Buffer.from(even.padStart(length * 2, '0'), 'hex');
}
