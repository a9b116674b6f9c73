/** Does something with each item, so many side by side. */
export async function inTurns<Item>(
  atOnce: number,
  items: Iterator<Item> & Iterable<Item>,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const work = async () => {
    for (const item of items) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
