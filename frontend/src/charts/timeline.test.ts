import { expect, test } from "vitest";
import { breaksOf, firstAtLeast, gapsOf, wholeRange, zoomed } from "./timeline";

const recorded = Float64Array.of(0, 25, 50, 150, 175);

test("lost captures in a row make one gap between the captures around them", () => {
  expect(gapsOf(recorded, Float64Array.of(75, 100, 125))).toEqual([{ start: 50, stop: 150 }]);
  expect(gapsOf(recorded, Float64Array.of(10, 75))).toEqual([
    { start: 0, stop: 25 },
    { start: 50, stop: 150 },
  ]);
});

test("lost captures before the first and after the last are a gap too", () => {
  expect(gapsOf(Float64Array.of(50, 75), Float64Array.of(25, 100, 125))).toEqual([
    { start: 25, stop: 50 },
    { start: 75, stop: 125 },
  ]);
});

test("a step that a later session recorded after all is no gap", () => {
  expect(gapsOf(recorded, Float64Array.of(25))).toEqual([]);
});

test("the line is lifted at the first capture after a gap", () => {
  expect([...breaksOf(recorded, [{ start: 50, stop: 150 }])]).toEqual([0, 0, 0, 1, 0]);
});

test("looking up steps", () => {
  expect([-1, 0, 26, 175, 176].map((aim) => firstAtLeast(recorded, aim))).toEqual([0, 0, 2, 4, 5]);
});

test("zoom stays inside the axis, never narrower than a step, and all of it is no zoom", () => {
  const whole = wholeRange(recorded);
  expect(whole).toEqual({ first: 0, last: 175 });
  expect(zoomed(whole, 100, 20)).toEqual({ first: 20, last: 100 });
  expect(zoomed(whole, -50, 900)).toBeUndefined();
  expect(zoomed(whole, 60.2, 60.3)).toEqual({ first: 59, last: 62 });
  expect(wholeRange(new Float64Array())).toEqual({ first: 0, last: 1 });
});
