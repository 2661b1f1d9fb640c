import { describe, expect, test } from "vitest";
import { makeScale, roundStep, type ScaleKind, ticks } from "./scale";

describe.each<[ScaleKind, number, number, number]>([
  ["linear", -3, 5, 0],
  ["log", 1e-7, 20, 0],
  ["sqrt", 0, 0.25, 0],
  ["symlog", -40, 900, 0.01],
])("the %s scale", (kind, low, high, linear) => {
  const scale = makeScale(kind, low, high, linear);
  const samples = Array.from({ length: 41 }, (_, index) => index / 40);

  test("puts its ends at 0 and 1", () => {
    expect(scale.unit(low)).toBeCloseTo(0, 12);
    expect(scale.unit(high)).toBeCloseTo(1, 12);
  });
  test("comes back from every place", () => {
    for (const place of samples) expect(scale.unit(scale.invert(place))).toBeCloseTo(place, 9);
  });
  test("is monotonic", () => {
    const values = samples.map((place) => scale.invert(place));
    for (let index = 1; index < values.length; index += 1) expect(values[index]).toBeGreaterThan(values[index - 1]);
  });
  test("has ascending ticks inside itself", () => {
    const marks = ticks(scale, 6);
    expect(marks.length).toBeGreaterThanOrEqual(2);
    expect([...marks].sort((a, b) => a - b)).toEqual(marks);
    for (const mark of marks) {
      expect(scale.unit(mark)).toBeGreaterThanOrEqual(-1e-6);
      expect(scale.unit(mark)).toBeLessThanOrEqual(1 + 1e-6);
    }
  });
  test("keeps NaN", () => expect(scale.unit(NaN)).toBeNaN());
});

test("linear ticks are round and exact", () => {
  expect(ticks(makeScale("linear", 0, 0.7), 7)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
  expect(ticks(makeScale("linear", -6.2, 5.9), 6)).toEqual([-6, -4, -2, 0, 2, 4]);
  expect(ticks(makeScale("linear", 0, 4800), 4)).toEqual([0, 1000, 2000, 3000, 4000]);
});

test("log ticks are decades, thinned when there are many, and 1-2-5 when there are few", () => {
  expect(ticks(makeScale("log", 1e-5, 1e-3), 5)).toEqual([1e-5, 1e-4, 1e-3]);
  expect(ticks(makeScale("log", 1e-12, 1), 5)).toEqual([1e-12, 1e-9, 1e-6, 1e-3, 1]);
  expect(ticks(makeScale("log", 0.15, 3), 5)).toEqual([0.2, 0.5, 1, 2]);
  // Decades and little room: four numbers, not eleven that touch each other.
  expect(ticks(makeScale("log", 9e-5, 0.3), 3)).toEqual([1e-4, 0.001, 0.01, 0.1]);
  expect(ticks(makeScale("log", 9e-5, 3), 3)).toEqual([1e-4, 0.01, 1]);
});

test("symlog has its zero and decades on both sides", () => {
  expect(ticks(makeScale("symlog", -1, 1, 0.01), 8)).toEqual([-1, -0.1, -0.01, 0, 0.01, 0.1, 1]);
});

test("a value that a scale has no place for is below its low end, not somewhere inside", () => {
  expect(makeScale("log", 1, 10).unit(0)).toBe(-Infinity);
  expect(makeScale("log", 1, 10).unit(-3)).toBe(-Infinity);
  expect(makeScale("sqrt", 0, 1).unit(-3)).toBe(0);
});

test("a constant has its place in the middle of a linear scale", () => {
  expect(makeScale("linear", 5, 5).unit(5)).toBe(0.5);
  expect(makeScale("linear", 0, 0).unit(0)).toBe(0.5);
});

test("round steps are 1, 2 or 5 times a power of ten", () => {
  expect([roundStep(0, 1, 10), roundStep(0, 193, 10), roundStep(0, 4800, 10), roundStep(0, 0.003, 4)]).toEqual([
    0.1, 20, 500, 0.001,
  ]);
});
