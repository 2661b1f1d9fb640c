import { expect, test } from "vitest";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import type { Matrix } from "../types";
import { columnAt, paintSparkline, paintSparklinePlace, rangeOf } from "./sparkline";

function matrixOf(
  low: readonly number[],
  high: readonly number[] = low,
  nonfinite: readonly number[] = low.map(() => 0),
): Matrix {
  const columns = low.length;
  return {
    nodes: 1,
    columns,
    low: Float32Array.from(low),
    high: Float32Array.from(high),
    nonfinite: Uint8Array.from(nonfinite),
    start: Float64Array.from(low, (_, index) => index * 10),
    stop: Float64Array.from(low, (_, index) => index * 10 + 9),
  };
}

test("a nearly flat series gets a range of 40 % of its middle, so it looks flat", () => {
  const range = rangeOf(matrixOf([10, 10.1]), 0, "value");
  expect((range?.high ?? 0) - (range?.low ?? 0)).toBeCloseTo(0.4 * 10.05, 5);
});

test("the range covers the extremes inside the columns", () => {
  expect(rangeOf(matrixOf([1, 2], [3, 90]), 0, "value")).toEqual({ low: 1, high: 90, log: false });
});

test("a positive gradient moves over powers of ten, a signed one doesn't", () => {
  expect(rangeOf(matrixOf([1e-6, 1e-2]), 0, "gradient")?.log).toBe(true);
  expect(rangeOf(matrixOf([-1e-6, 1e-2]), 0, "gradient")?.log).toBe(false);
  expect(rangeOf(matrixOf([1e-6, 1e-2]), 0, "value")?.log).toBe(false);
});

test("a row without a finite number has no range", () => {
  expect(rangeOf(matrixOf([NaN, NaN]), 0, "value")).toBeNull();
});

test("the column of a step", () => {
  const matrix = matrixOf([1, 2, 3]);
  expect([-1, 0, 9, 10, 29, 500].map((step) => columnAt(matrix, step))).toEqual([-1, 0, 0, 1, 2, 2]);
});

const palette = makePalette((name) => name);
const frame = { left: 0, top: 0, width: 96, height: 22 };

test("a spike inside a column reaches the top of the picture", () => {
  const pen = new RecordingPen();
  const matrix = matrixOf([1, 1, 1], [1, 100, 1]);
  paintSparkline(pen, palette, frame, { matrix, node: 0, quantity: "value", lastStep: 29 });
  const line = pen.drawn.find((call) => call.op === "polyline");
  expect(Math.min(...(line?.op === "polyline" ? line.ys.filter((y) => !Number.isNaN(y)) : []))).toBe(3);
});

test("columns with NaN side by side are one hatched band, and no dot claims a number there", () => {
  const pen = new RecordingPen();
  const matrix = matrixOf([1, NaN, NaN, 3, NaN], [1, NaN, NaN, 3, NaN], [0, 1, 1, 0, 1]);
  const model = { matrix, node: 0, quantity: "value", lastStep: 49 } as const;
  paintSparkline(pen, palette, frame, model);
  paintSparklinePlace(pen, palette, frame, model, 15);
  const marks = pen.of("hatch").map(({ box }) => [Math.round(box.x), Math.round(box.width)]);
  expect(marks).toEqual([
    [20, 37],
    [78, 17],
  ]);
  expect(pen.of("circle")).toEqual([]);
});

test("one broken capture among thousands is wide enough to be seen, at the end too", () => {
  const pen = new RecordingPen();
  const matrix = {
    ...matrixOf([1, NaN], [1, NaN], [0, 1]),
    start: Float64Array.of(0, 5000),
    stop: Float64Array.of(0, 5000),
  };
  paintSparkline(pen, palette, frame, { matrix, node: 0, quantity: "value", lastStep: 5000 });
  const [{ box }] = pen.of("hatch");
  expect([box.width, box.x + box.width]).toEqual([5, 96]);
});

test("the layer of the step holds a line and a dot on the series, and no series", () => {
  const pen = new RecordingPen();
  const model = { matrix: matrixOf([1, 2, 3]), node: 0, quantity: "value", lastStep: 29 } as const;
  paintSparklinePlace(pen, palette, frame, model, 15);
  expect(pen.drawn.map(({ op }) => op)).toEqual(["line", "circle"]);
});
