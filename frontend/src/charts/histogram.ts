/*
 * Histograms over steps, rebinned to edges that all columns share.
 *
 * Each capture has its own edges; side by side they can only be compared on common ones. The one invariant: rebinning keeps the sum of the counts
 * inside the common edges; a source bin that spans several of them is divided in proportion, as if its elements were spread evenly, and a source range
 * of width zero (a constant tensor) falls into one bin.
 */

import type { Histogram } from "../types";
import type { Columns } from "./timeline";

/** Columns on common edges. `shares` are of the counted elements: float32[columns, bins], row-major; a column of zeros holds nothing. */
export interface CommonHistogram extends Columns {
  readonly low: number;
  readonly high: number;
  readonly bins: number;
  readonly shares: Float32Array;
  /** Elements counted, and elements of the whole tensor, per column. */
  readonly counted: Float64Array;
  readonly elements: Float64Array;
}

/** Range of the values of all columns that hold something; undefined when none does. */
export function commonRange(histogram: Histogram): { low: number; high: number } | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (let column = 0; column < histogram.columns; column += 1) {
    if (countOf(histogram, column) === 0) continue;
    low = Math.min(low, histogram.range[2 * column]);
    high = Math.max(high, histogram.range[2 * column + 1]);
  }
  return low <= high ? { low, high } : undefined;
}

function countOf(histogram: Histogram, column: number): number {
  let sum = 0;
  for (let bin = 0; bin < histogram.bins; bin += 1) sum += histogram.counts[column * histogram.bins + bin];
  return sum;
}

/** All columns on `bins` equal bins over [low, high]. What lies beyond is left out of the picture, not of the counts that shares are taken of. */
export function rebin(histogram: Histogram, low: number, high: number, bins: number): CommonHistogram {
  const shares = new Float32Array(histogram.columns * bins);
  const counted = new Float64Array(histogram.columns);
  for (let column = 0; column < histogram.columns; column += 1) {
    const sum = countOf(histogram, column);
    counted[column] = sum;
    if (sum === 0) continue;
    const target = shares.subarray(column * bins, (column + 1) * bins);
    addColumn(histogram, column, target, low, high);
    for (let bin = 0; bin < bins; bin += 1) target[bin] /= sum;
  }
  const { start, stop, elements } = histogram;
  return { low, high, bins, start, stop, shares, counted, elements };
}

function addColumn(histogram: Histogram, column: number, target: Float32Array, low: number, high: number): void {
  const from = histogram.range[2 * column];
  const width = (histogram.range[2 * column + 1] - from) / histogram.bins;
  const scale = high > low ? target.length / (high - low) : 0;
  for (let bin = 0; bin < histogram.bins; bin += 1) {
    const count = histogram.counts[column * histogram.bins + bin];
    if (count > 0)
      addInterval(target, (from + bin * width - low) * scale, (from + (bin + 1) * width - low) * scale, count);
  }
}

/** Spreads `count` evenly over [start, stop], given in units of the target's bins. */
function addInterval(target: Float32Array, start: number, stop: number, count: number): void {
  const last = target.length - 1;
  if (!(stop > start)) {
    const bin = Math.floor(start);
    if (bin >= 0 && start <= target.length) target[Math.min(last, bin)] += count;
    return;
  }
  const density = count / (stop - start);
  const final = Math.min(last, Math.ceil(stop) - 1);
  for (let bin = Math.max(0, Math.floor(start)); bin <= final; bin += 1) {
    target[bin] += Math.max(0, Math.min(stop, bin + 1) - Math.max(start, bin)) * density;
  }
}

/** Bins in which quantiles of a whole history are counted; their width bounds the error. */
const QUANTILE_BINS = 4096;

/** The values below which each of `shares` (ascending) of all counted elements of all columns lie; undefined without any. */
export function historyQuantiles(
  histogram: Histogram,
  shares: readonly number[],
  measure: (value: number) => number = (value) => value,
): number[] | undefined {
  const range = commonRange(histogram);
  if (range === undefined) return undefined;
  const corners = [measure(range.low), measure(range.high), ...(range.low < 0 && range.high > 0 ? [measure(0)] : [])];
  const [low, high] = [Math.min(...corners), Math.max(...corners)];
  const counts = new Float64Array(QUANTILE_BINS);
  const scale = high > low ? QUANTILE_BINS / (high - low) : 0;
  for (let column = 0; column < histogram.columns; column += 1) {
    const from = histogram.range[2 * column];
    const width = (histogram.range[2 * column + 1] - from) / histogram.bins;
    for (let bin = 0; bin < histogram.bins; bin += 1) {
      const count = histogram.counts[column * histogram.bins + bin];
      if (count === 0) continue;
      const place = Math.floor((measure(from + (bin + 0.5) * width) - low) * scale);
      counts[Math.min(QUANTILE_BINS - 1, Math.max(0, place))] += count;
    }
  }
  return shares.map((share) => low + quantileBin(counts, share) * ((high - low) / QUANTILE_BINS));
}

/** How many bins it takes to gather `share` of all counts. */
function quantileBin(counts: Float64Array, share: number): number {
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let bin = 0; bin < counts.length; bin += 1) {
    seen += counts[bin];
    if (seen >= wanted) return bin + 1;
  }
  return counts.length;
}

/** The magnitude below which `share` of all counted elements of the whole history lie. */
export function historyPercentile(histogram: Histogram, share: number): number {
  return historyQuantiles(histogram, [share], Math.abs)?.[0] ?? 0;
}

/** What of the elements may lie beyond each end of the axis of values, and how much shorter the axis must become by it. */
const CUTS = [
  { tail: 0.0005, worth: 0.6 },
  { tail: 0.01, worth: 0.25 },
];

/**
 * The axis of values of a whole history: from the smallest to the largest, or, where thin tails take most of that, without the tails; `cut` is the
 * share of elements in them, to be said.
 */
export function valueRange(histogram: Histogram): { low: number; high: number; cut: number } | undefined {
  const range = commonRange(histogram);
  let axis = range && { ...range, cut: 0 };
  for (const { tail, worth } of CUTS) {
    const [low, high] = historyQuantiles(histogram, [tail, 1 - tail]) ?? [];
    if (axis && high > low && high - low < worth * (axis.high - axis.low)) axis = { low, high, cut: 2 * tail };
  }
  return axis;
}

/** `sampled 65,536 of 1,605,632`; empty when every finite element was counted. */
export function sampledWords(counted: number, finite: number, count: (value: number) => string): string {
  return counted === 0 || finite <= counted ? "" : `sampled ${count(counted)} of ${count(finite)}`;
}
