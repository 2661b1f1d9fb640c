import { expect, test } from "vitest";
import { tipStart } from "./tip";

test("a tip stands 14 px after the place", () => {
  expect(tipStart(400, 200, 1000)).toBe(414);
});

test("it flips where the window ends, and never covers the place", () => {
  expect(tipStart(900, 200, 1000)).toBe(686);
});

test("it doesn't leave the window on the other side either", () => {
  expect(tipStart(110, 950, 1000)).toBe(0);
});
