/** What the shop sells: article and price in cents. */
export const CATALOGUE: ReadonlyMap<string, number> = new Map([
  ["Blue mug", 1200],
  ["Green mug", 1200],
  ["Teapot", 3450],
]);
