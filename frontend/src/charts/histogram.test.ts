import { describe, expect, test } from "vitest";
import type { Histogram } from "../types";
import { commonRange, historyPercentile, historyQuantiles, rebin, sampledWords, valueRange } from "./histogram";
import { nearestColumn } from "./timeline";

/** One column per `[low, high, counts]`; a step apart. */
function histogramOf(columns: readonly (readonly [number, number, readonly number[]])[]): Histogram {
  const bins = columns[0][2].length;
  return {
    columns: columns.length,
    bins,
    start: Float64Array.from(columns, (_, index) => index * 10),
    stop: Float64Array.from(columns, (_, index) => index * 10),
    range: Float32Array.from(columns.flatMap(([low, high]) => [low, high])),
    counts: Float32Array.from(columns.flatMap(([, , counts]) => [...counts])),
    elements: Float64Array.from(columns, ([, , counts]) => counts.reduce((sum, count) => sum + count, 0)),
  };
}

const shares = (histogram: ReturnType<typeof rebin>, column: number): number[] =>
  [...histogram.shares.slice(column * histogram.bins, (column + 1) * histogram.bins)].map((share) =>
    Number(share.toFixed(6)),
  );

describe("rebinning", () => {
  test("keeps bins that already stand on the common edges", () => {
    expect(shares(rebin(histogramOf([[0, 4, [1, 2, 3, 4]]]), 0, 4, 4), 0)).toEqual([0.1, 0.2, 0.3, 0.4]);
  });

  test("divides a bin that spans several in proportion", () => {
    expect(shares(rebin(histogramOf([[0, 2, [2, 6]]]), 0, 2, 4), 0)).toEqual([0.125, 0.125, 0.375, 0.375]);
    expect(shares(rebin(histogramOf([[0.5, 1.5, [8]]]), 0, 2, 2), 0)).toEqual([0.5, 0.5]);
  });

  test("keeps the sum, whatever the edges", () => {
    for (const [low, high, bins] of [
      [-3.3, 7.1, 17],
      [-1, 5, 3],
      [-40, 90, 96],
    ] as const) {
      const common = rebin(histogramOf([[-1, 5, [3, 0, 9, 1, 7]]]), low, high, bins);
      expect(shares(common, 0).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
    }
  });

  test("puts a constant tensor into the one bin of its value", () => {
    expect(shares(rebin(histogramOf([[2, 2, [9, 0]]]), 0, 4, 4), 0)).toEqual([0, 0, 1, 0]);
    expect(shares(rebin(histogramOf([[4, 4, [9, 0]]]), 0, 4, 4), 0)).toEqual([0, 0, 0, 1]);
  });

  test("takes shares of all elements, also of those beyond the edges", () => {
    expect(shares(rebin(histogramOf([[0, 4, [1, 1, 1, 1]]]), 1, 3, 2), 0)).toEqual([0.25, 0.25]);
  });

  test("agrees with counting the elements themselves", () => {
    const values = Array.from({ length: 5000 }, (_, index) => Math.sin(index * 12.9898) * 2 + Math.cos(index * 78.233));
    const fine = new Array<number>(600).fill(0);
    for (const value of values) fine[Math.min(599, Math.floor(((value + 3) / 6) * 600))] += 1;
    const direct = new Array<number>(12).fill(0);
    for (const value of values) direct[Math.min(11, Math.floor(((value + 3) / 6) * 12))] += 1;
    const common = rebin(histogramOf([[-3, 3, fine]]), -3, 3, 12);
    shares(common, 0).forEach((share, bin) => expect(share).toBeCloseTo(direct[bin] / 5000, 5));
  });
});

test("columns without counts take no part in the range and hold nothing", () => {
  const histogram = histogramOf([
    [0, 0, [0, 0]],
    [-2, 3, [1, 1]],
  ]);
  expect(commonRange(histogram)).toEqual({ low: -2, high: 3 });
  expect(commonRange(histogramOf([[0, 1, [0, 0]]]))).toBeUndefined();
  expect([...rebin(histogram, -2, 3, 2).counted]).toEqual([0, 2]);
});

test("quantiles of a whole history are those of its elements, to a bin", () => {
  const uniform = histogramOf([
    [0, 1, new Array<number>(100).fill(10)],
    [1, 2, new Array<number>(100).fill(10)],
  ]);
  const [low, middle, high] = historyQuantiles(uniform, [0.1, 0.5, 0.9]) ?? [];
  expect(low).toBeCloseTo(0.2, 1);
  expect(middle).toBeCloseTo(1, 1);
  expect(high).toBeCloseTo(1.8, 1);
});

test("the percentile of magnitudes counts both signs", () => {
  const signed = histogramOf([[-10, 10, new Array<number>(200).fill(1)]]);
  expect(historyPercentile(signed, 0.5)).toBeCloseTo(5, 0);
  expect(historyPercentile(histogramOf([[0, 1, [0]]]), 0.5)).toBe(0);
});

test("the axis of values is cut where a thin tail would flatten the rest, and says so", () => {
  const tail = new Array<number>(1000).fill(0);
  tail.fill(100, 0, 50);
  tail[999] = 1;
  expect(valueRange(histogramOf([[0, 100, tail]]))).toMatchObject({ cut: 0.001 });
  expect(valueRange(histogramOf([[0, 100, tail]]))?.high).toBeLessThan(6);
  expect(valueRange(histogramOf([[0, 4, [1, 2, 3, 4]]]))).toEqual({ low: 0, high: 4, cut: 0 });
});

test("a heavy tail leaves the axis of values too, and the words say how much", () => {
  const heavy = new Array<number>(1000).fill(0);
  heavy.fill(97_000 / 60, 470, 530);
  heavy.fill(1, 0, 470);
  const { low, high, cut } = valueRange(histogramOf([[-1, 1, heavy]])) ?? { low: 0, high: 0, cut: 0 };
  expect(cut).toBe(0.02);
  expect(low).toBeGreaterThan(-0.1);
  expect(high).toBeLessThan(0.1);
});

test("the column of a step is the one that covers it, else the nearest", () => {
  const columns = { start: Float64Array.of(0, 30, 60), stop: Float64Array.of(20, 50, 60) };
  expect([0, 20, 24, 26, 55.1, 999].map((step) => nearestColumn(columns, step))).toEqual([0, 0, 0, 1, 2, 2]);
  expect(nearestColumn({ start: new Float64Array(), stop: new Float64Array() }, 5)).toBe(-1);
});

test("what is sampled says so, and what is complete says nothing", () => {
  expect(sampledWords(65536, 1605632, String)).toBe("sampled 65536 of 1605632");
  expect(sampledWords(4096, 4096, String)).toBe("");
  expect(sampledWords(0, 10, String)).toBe("");
});
