/**
 * A delivery tag is the lock token as .NET writes a Guid: the first three groups little-endian. Management requests hold
 * the same token in the usual order.
 */
const guidOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function uuidFromBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function deliveryTag(lockToken: string): Buffer {
  return reorder(uuidBytes(lockToken));
}

export function lockTokenOfTag(tag: Buffer | string): string {
  return uuidFromBytes(reorder(typeof tag === 'string' ? Buffer.from(tag) : tag));
}

function reorder(bytes: Buffer): Buffer {
  return Buffer.from(guidOrder.map((position) => bytes[position] ?? 0));
}

/** Milliseconds since the epoch as .NET ticks: 100 ns since the year 1, in an AMQP long. */
export function dotNetTicks(milliseconds: number): Buffer {
  const ticks = Buffer.alloc(8);
  ticks.writeBigInt64BE(BigInt(Math.round(milliseconds)) * 10_000n + 621_355_968_000_000_000n);
  return ticks;
}
