/*
 * Histograms over steps, rebinned to edges that all columns share.
 *
 * Each capture has its own edges; side by side they can only be compared on common ones. The one invariant: rebinning keeps the sum of the counts;
 * a source bin that spans several common bins is divided in proportion, as if its elements were spread evenly, and a source range of width
 * zero (a constant tensor) falls into one bin.
 */

import type { Histogram } from "../types";
import type { Step } from "../units";

/** Columns on common edges. `shares` are of the counted elements: float32[columns, bins], row-major; a column of zeros holds nothing. */
export interface CommonHistogram {
  readonly low: number;
  readonly high: number;
  readonly bins: number;
  readonly start: Float64Array;
  readonly stop: Float64Array;
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

/** All columns on `bins` equal bins over [low, high]; what lies beyond is counted into the outermost bins. */
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
  const clamp = (place: number): number => Math.min(last, Math.max(0, Math.floor(place)));
  const first = clamp(start);
  const final = clamp(stop);
  if (first === final || !(stop > start)) {
    target[first] += count;
    return;
  }
  const density = count / (stop - start);
  for (let bin = first; bin <= final; bin += 1) {
    const from = bin === first ? start : bin;
    const to = bin === final ? stop : bin + 1;
    target[bin] += Math.max(0, to - from) * density;
  }
}

/** The value below which `share` of all counted elements of the whole history lie in magnitude. */
export function historyPercentile(histogram: Histogram, share: number): number {
  const range = commonRange(histogram);
  if (range === undefined) return 0;
  const limit = Math.max(Math.abs(range.low), Math.abs(range.high));
  const bins = 4096;
  const folded = new Float64Array(bins);
  let total = 0;
  for (let column = 0; column < histogram.columns; column += 1) {
    const from = histogram.range[2 * column];
    const width = (histogram.range[2 * column + 1] - from) / histogram.bins;
    for (let bin = 0; bin < histogram.bins; bin += 1) {
      const count = histogram.counts[column * histogram.bins + bin];
      if (count === 0) continue;
      const magnitude = Math.abs(from + (bin + 0.5) * width);
      folded[Math.min(bins - 1, Math.floor((magnitude / (limit || 1)) * bins))] += count;
      total += count;
    }
  }
  let seen = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    seen += folded[bin];
    if (seen >= share * total) return ((bin + 1) / bins) * limit;
  }
  return limit;
}

/** Index of the column that covers `step`, or of the nearest one; −1 without columns. */
export function columnAt(histogram: Pick<CommonHistogram, "start" | "stop">, step: Step): number {
  let best = -1;
  let distance = Infinity;
  for (let column = 0; column < histogram.start.length; column += 1) {
    const away = Math.max(histogram.start[column] - step, step - histogram.stop[column], 0);
    if (away < distance) {
      best = column;
      distance = away;
    }
  }
  return best;
}

/** What of the elements was counted, in words: empty when all were. */
export function sampledWords(histogram: CommonHistogram, column: number, count: (value: number) => string): string {
  const { counted, elements } = histogram;
  if (column < 0 || counted[column] === 0 || elements[column] <= counted[column]) return "";
  return `${count(counted[column])} of ${count(elements[column])} sampled`;
}
