/** What one variant did in one round. */
export interface Load {
  perSecond: number;
  /** Of every request. */
  milliseconds: readonly number[];
}

/** Makes `count` requests, `clients` of them at once. @param request is told which client makes it */
export async function load(
  count: number,
  clients: number,
  request: (client: number) => Promise<unknown>,
): Promise<Load> {
  const milliseconds: number[] = [];
  const startTime = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (left-- > 0) {
        const requestTime = performance.now();
        await request(client);
        milliseconds.push(performance.now() - requestTime);
      }
    }),
  );
  return { perSecond: count / ((performance.now() - startTime) / 1000), milliseconds };
}
