/** Does something for each item, at most so many at a time, and for the rest too where one fails. @returns the errors */
export async function eachAtMost<Item>(
  atOnce: number,
  items: readonly Item[],
  act: (item: Item) => Promise<void>,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const waiting = items.values();
  const work = async () => {
    for (const item of waiting) await act(item).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return errors;
}
