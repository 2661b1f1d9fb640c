import { expect, test } from "vitest";
import { placeTip } from "./tip";

const frame = { width: 1000, height: 600 };

test("a tip stands 14 px off, below and to the right", () => {
  expect(placeTip(100, 50, 200, 60, { left: 300, top: 200 }, frame)).toEqual({ left: 114, top: 64 });
});

test("it flips at the right and lower edge, and never covers the place", () => {
  expect(placeTip(600, 350, 200, 60, { left: 300, top: 200 }, frame)).toEqual({ left: 386, top: 276 });
});

test("it doesn't leave the window on the other side either", () => {
  const { left, top } = placeTip(90, 30, 950, 590, { left: 20, top: 10 }, frame);
  expect(left + 20).toBeGreaterThanOrEqual(0);
  expect(top + 10).toBeGreaterThanOrEqual(0);
});
