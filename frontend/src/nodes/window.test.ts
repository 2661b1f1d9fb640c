import { expect, test } from "vitest";
import { scrolledTo, windowOf } from "./window";

const ROW = 24;

test("every row on screen lies in the window, wherever the list is scrolled to", () => {
  for (const count of [0, 1, 7, 100, 10_000]) {
    for (const height of [0, 10, 24, 700, 5000]) {
      const most = Math.max(0, count * ROW - height);
      for (const top of [0, 1, 23.5, 24, 1000.25, most - 1, most].filter((each) => each >= 0 && each <= most)) {
        const { start, stop } = windowOf(top, height, ROW, count);
        expect(start).toBeLessThanOrEqual(Math.floor(top / ROW));
        expect(stop).toBeGreaterThanOrEqual(Math.min(count, Math.ceil((top + height) / ROW)));
        expect(start).toBeGreaterThanOrEqual(0);
        expect(stop).toBeLessThanOrEqual(count);
        expect(stop - start).toBeLessThanOrEqual(Math.ceil(height / ROW) + 40);
      }
    }
  }
});

test("small scrolls leave the window as it is", () => {
  const windows = new Set(
    Array.from({ length: 8 * ROW }, (_, top) => JSON.stringify(windowOf(8 * ROW + top, 700, ROW, 10_000))),
  );
  expect(windows.size).toBe(1);
});

test("a list that became shorter has an empty window at worst", () => {
  expect(windowOf(50_000, 700, ROW, 3)).toEqual({ start: 3, stop: 3 });
});

test("a row is scrolled into view by as little as possible", () => {
  expect(scrolledTo(5, 0, 240, ROW)).toBe(0);
  expect(scrolledTo(10, 0, 240, ROW)).toBe(24);
  expect(scrolledTo(2, 100, 240, ROW)).toBe(48);
  expect(scrolledTo(7, 100, 20, ROW)).toBe(168);
});
