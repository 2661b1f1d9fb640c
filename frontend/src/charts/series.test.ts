import { expect, test } from "vitest";
import { bandPoints, linePoints, type Window } from "./series";

const identity = (value: number): number => value;

/** `count` captures over `width` pixels. */
function windowOver(count: number, width: number, breakAt: readonly number[] = []): Window {
  const xs = Float32Array.from({ length: count }, (_, index) => (index / count) * width);
  const breaks = new Uint8Array(count);
  for (const index of breakAt) breaks[index] = 1;
  return { xs, breaks, start: 0, stop: count };
}

const ysOf = ({ ys, count }: { ys: Float32Array; count: number }): number[] => [...ys.slice(0, count)];

test("few points are drawn as they are", () => {
  expect(ysOf(linePoints([3, 1, 2], windowOver(3, 30), identity))).toEqual([3, 1, 2]);
});

test("one spike in 10,000 captures stays, and at most a handful of points per pixel are drawn", () => {
  const values = new Float32Array(10_000).fill(1);
  values[6317] = 1000;
  values[6318] = -1000;
  const points = linePoints(values, windowOver(10_000, 500), identity);
  expect(Math.max(...ysOf(points))).toBe(1000);
  expect(Math.min(...ysOf(points))).toBe(-1000);
  expect(points.count).toBeLessThanOrEqual(500 * 4);
});

test("the order in time of first, extremes and last is kept within a pixel", () => {
  const values = [5, 9, 1, 4, 6];
  const window = { xs: new Float32Array(5).fill(10), breaks: new Uint8Array(5), start: 0, stop: 5 };
  expect(ysOf(linePoints(values, window, identity))).toEqual([5, 9, 1, 6]);
});

test("NaN, Inf and lost captures lift the pen, also inside one pixel", () => {
  expect(ysOf(linePoints([1, NaN, 3, Infinity, 5], windowOver(5, 50), identity))).toEqual([1, NaN, 3, NaN, 5]);
  expect(ysOf(linePoints([1, 2, 3, 4], windowOver(4, 40, [2]), identity))).toEqual([1, 2, NaN, 3, 4]);
  const dense = linePoints([1, 2, NaN, 3], windowOver(4, 1), identity);
  expect(ysOf(dense)).toEqual([1, 2, NaN, 3]);
});

test("a series without a number draws nothing", () => {
  expect(linePoints([NaN, NaN], windowOver(2, 20), identity).count).toBe(0);
});

test("a band keeps the lowest low and the highest high of each pixel", () => {
  const lower = [0, -5, 0, 0];
  const upper = [1, 1, 8, 1];
  const points = bandPoints(lower, upper, windowOver(4, 1), identity);
  expect([...points.lower.slice(0, points.count)]).toEqual([-5]);
  expect([...points.upper.slice(0, points.count)]).toEqual([8]);
});

test("a band ends where either edge has no number, and at lost captures", () => {
  const points = bandPoints([0, NaN, 0, 0], [1, 1, 1, 1], windowOver(4, 40, [3]), identity);
  expect([...points.upper.slice(0, points.count)]).toEqual([1, NaN, 1, NaN, 1]);
});
