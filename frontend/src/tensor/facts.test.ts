import { expect, test } from "vitest";
import { makeScale } from "../charts/scale";
import { historyOf } from "../charts/history";
import { NOTHING_FINITE } from "../colormap";
import { chooseColoring, historyRange } from "./coloring";
import { keptWords, largestOfRow, meanRowEntropy, nonFiniteWords, placeWords, sameWords, wholeShape } from "./facts";
import { MOST_COPIED_CELLS, tableText, visibleSpan } from "./number_table";
import { planeOf } from "./plane";

test("the batch is worked out from the number of elements", () => {
  expect(wholeShape({ shape: [null, 14, 14, 64] }, 128 * 14 * 14 * 64)).toEqual([128, 14, 14, 64]);
  expect(wholeShape({ shape: [null, 3] }, 7)).toEqual([null, 3]);
  expect(wholeShape({ shape: [null, null, 3] }, 12)).toEqual([null, null, 3]);
  expect(wholeShape({ shape: null }, 12)).toBeNull();
});

test("a sample says which part of the tensor it is, and the whole says nothing", () => {
  const names = ["example", "row", "column", "channel"];
  const node = { shape: [null, 14, 14, 512] };
  expect(
    keptWords(node, { shape: [4, 14, 14, 32], elements: 64 * 14 * 14 * 512, strides: [1, 1, 1, 1] }, names),
  ).toEqual(["4 of 64 examples kept", "32 of 512 channels kept"]);
  const spread = { shape: [2, 7, 5, 512], elements: 2 * 14 * 14 * 512, strides: [1, 2, 3, 1] };
  expect(keptWords(node, spread, names)).toEqual(["1 in 2 rows kept", "1 in 3 columns kept"]);
  expect(keptWords({ shape: [64] }, { shape: [64], elements: 64, strides: [1] }, ["unit"])).toEqual([]);
});

test("numbers that are all the same are said once", () => {
  expect(sameWords(Float32Array.of(0, -0, 0))).toBe("all 0");
  expect(sameWords(Float64Array.of(0.25, 0.25))).toBe("all 0.250");
  for (const values of [[0, 1], [NaN, NaN], [0, NaN], [7], []]) expect(sameWords(Float64Array.from(values))).toBe("");
});

test("what isn't finite is named with its count", () => {
  expect(nonFiniteWords({ nan: 12, positive: 0, negative: 1000 })).toEqual(["NaN 12", "▼ −Inf 1,000"]);
});

test("entropy of uniform rows is log(keys), of certain rows 0; rows that are no distribution don't count", () => {
  const rows = (values: readonly number[]): number =>
    meanRowEntropy(planeOf({ shape: [values.length / 4, 4], data: Float64Array.from(values) }, 0, 1, []));
  expect(rows([0.25, 0.25, 0.25, 0.25])).toBeCloseTo(Math.log(4), 12);
  expect(rows([0, 1, 0, 0])).toBe(0);
  expect(rows([0.25, 0.25, 0.25, 0.25, 5, 6, 7, 8, NaN, 1, 0, 0])).toBeCloseTo(Math.log(4), 12);
  expect(rows([5, 6, 7, 8])).toBeNaN();
});

test("the largest of a row, NaN left out", () => {
  const plane = planeOf({ shape: [1, 4], data: Float32Array.of(0.5, NaN, 2, 1) }, 0, 1, []);
  expect(largestOfRow(plane, 0, 2)).toEqual([
    { column: 2, value: 2 },
    { column: 3, value: 1 },
  ]);
});

test("examples are counted from 1, indices from 0", () => {
  expect(placeWords([2, 5, 31], ["example", "row", "channel"])).toBe("example 3, row 5, channel 31");
});

const history = historyOf(
  {
    captures: 2,
    columns: 2,
    step: Float64Array.of(0, 1),
    statistics: Float32Array.of(-1, 2, -3, 1),
    counts: Float64Array.of(4, 0, 0, 0, 4, 0, 0, 0),
  },
  ["min", "max"],
);

test("a domain over all steps doesn't depend on the step that is shown", () => {
  const request = { squareRoot: false, history, histogram: null, beside: null, gray: false } as const;
  const at = (values: number[], extent: "steps" | "step" | "tile"): number =>
    chooseColoring({ ...request, values, extent }).scale.high;
  expect(historyRange(history)).toEqual({ low: -3, high: 2 });
  expect([at([0.1], "steps"), at([0.9], "steps")]).toEqual([3, 3]);
  expect([at([-0.1, 0.05], "step"), at([-0.1, 0.9], "tile")]).toEqual([0.1, 0.9]);
});

test("a percentile keeps the tail from flattening the rest, and never leaves the data", () => {
  const counts = new Float32Array(100);
  counts[50] = 990;
  counts[99] = 1;
  const histogram = {
    columns: 1,
    bins: 100,
    start: Float64Array.of(0),
    stop: Float64Array.of(0),
    range: Float32Array.of(-10, 10),
    counts,
    elements: Float64Array.of(991),
  };
  const wide = {
    ...history,
    columns: new Map([
      ["min", Float32Array.of(-10)],
      ["max", Float32Array.of(10)],
    ]),
  };
  const { scale } = chooseColoring({
    extent: "percentile",
    squareRoot: false,
    history: wide,
    histogram,
    values: [],
    beside: null,
    gray: false,
  });
  expect(scale.high).toBeLessThan(1);
  expect(scale.low).toBe(-scale.high);
});

test("without a finite number there is no domain, unless what stands beside has one", () => {
  const request = {
    extent: "step",
    squareRoot: false,
    history: null,
    histogram: null,
    values: [NaN, Infinity],
    gray: false,
  } as const;
  expect(chooseColoring({ ...request, beside: null })).toBe(NOTHING_FINITE);
  const beside = { history: null, histogram: null, values: [-1, NaN, 2] };
  expect(chooseColoring({ ...request, beside })).toMatchObject({ map: "div", scale: { low: -2, high: 2 } });
});

test("images of the input are grey unless they are signed", () => {
  const request = {
    extent: "step",
    squareRoot: false,
    history: null,
    histogram: null,
    beside: null,
    gray: true,
  } as const;
  expect(chooseColoring({ ...request, values: [0, 255] })).toMatchObject({ map: "gray", scale: { low: 0, high: 255 } });
  expect(chooseColoring({ ...request, values: [-1, 1] }).map).toBe("div");
  expect(makeScale("linear", 0, 255).unit(0)).toBe(0);
});

test("a table makes only the cells in sight", () => {
  expect(visibleSpan(0, 220, 22, 1_000_000)).toEqual({ start: 0, stop: 14 });
  expect(visibleSpan(22_000, 220, 22, 1_000_000)).toEqual({ start: 996, stop: 1014 });
  expect(visibleSpan(0, 220, 22, 3)).toEqual({ start: 0, stop: 3 });
  expect(MOST_COPIED_CELLS).toBeGreaterThan(0);
});

test("the clipboard gets all cells in full precision", () => {
  const table = {
    label: "",
    rows: 2,
    columns: 2,
    corner: "example",
    rowHead: (row: number) => `${row + 1}`,
    columnHead: (column: number) => `unit ${column}`,
    cell: (row: number, column: number) =>
      [
        [Math.fround(0.1), NaN],
        [-Infinity, 1e-40],
      ][row][column],
  };
  expect(tableText(table)).toBe("example\tunit 0\tunit 1\n1\t0.1\tnan\n2\t-inf\t1e-40");
});
