/**
 * Where the columns of a matrix lie on the axis of steps, and which of them each pixel shows.
 *
 * The one invariant: columns don't overlap, every column holds its own steps, and dropped captures lie between columns, where nothing is drawn.
 */

import { firstAtLeast, type Gap, type StepRange } from "../charts/timeline";
import type { Matrix } from "../types";
import type { CssPixels, Step } from "../units";

/** First and last place of each column on the axis of steps. */
export interface ColumnEdges {
  readonly from: Float64Array;
  readonly to: Float64Array;
}

/** Usual distance between neighbouring columns: the median, so that gaps don't count. */
function usualDistance(start: Float64Array, stop: Float64Array): Step {
  const distances = start.subarray(1).map((step, index) => step - stop[index]);
  return distances.length === 0 ? 1 : distances.sort()[Math.floor(distances.length / 2)];
}

/** Columns meet half way; beside a gap, each ends half of the usual distance after its last step. */
export function columnEdges(
  { start, stop, columns }: Pick<Matrix, "start" | "stop" | "columns">,
  gaps: readonly Gap[],
): ColumnEdges {
  const half = usualDistance(start, stop) / 2;
  const from = new Float64Array(columns);
  const to = new Float64Array(columns);
  let gap = 0;
  for (let column = 0; column < columns; column += 1) {
    if (column === 0) from[0] = start[0] - half;
    if (column === columns - 1) {
      to[column] = stop[column] + half;
      break;
    }
    const [left, right] = [stop[column], start[column + 1]];
    while (gap < gaps.length && gaps[gap].stop <= left) gap += 1;
    const broken = gap < gaps.length && gaps[gap].start >= left && gaps[gap].stop <= right;
    const reach = broken ? Math.min(half, (right - left) / 4) : (right - left) / 2;
    to[column] = left + reach;
    from[column + 1] = right - reach;
  }
  return { from, to };
}

/** The axis with room for the outermost columns. */
export function paddedRange(range: StepRange, edges: ColumnEdges): StepRange {
  const last = edges.to.length - 1;
  if (last < 0) return range;
  return { first: Math.min(range.first, edges.from[0]), last: Math.max(range.last, edges.to[last]) };
}

/** First column of each pixel and one past its last; equal where the pixel has none. */
export interface PixelColumns {
  readonly first: Int32Array;
  readonly end: Int32Array;
}

/** A column belongs to the pixels that its extent covers; one narrower than a pixel, to the pixel it lies in, so that none is lost. */
export function pixelColumns(edges: ColumnEdges, range: StepRange, width: CssPixels): PixelColumns {
  const first = new Int32Array(width);
  const end = new Int32Array(width);
  const place = (step: Step): number => ((step - range.first) / (range.last - range.first)) * width;
  for (let column = 0; column < edges.from.length; column += 1) {
    const [start, stop] = [place(edges.from[column]), place(edges.to[column])];
    if (stop <= 0 || start >= width) continue;
    const left = Math.min(width - 1, Math.max(0, Math.round(start)));
    const right = Math.max(left + 1, Math.min(width, Math.round(stop)));
    for (let x = left; x < right; x += 1) {
      if (end[x] === 0) first[x] = column;
      end[x] = column + 1;
    }
  }
  return { first, end };
}

/** The recorded steps to ask for at a zoom: those in sight and one more on each side. Empty: all. */
export function stepsToAsk(recorded: Float64Array, zoom: StepRange | null): { first_step?: Step; last_step?: Step } {
  if (zoom === null || recorded.length === 0) return {};
  const [first, last] = [firstAtLeast(recorded, zoom.first) - 1, firstAtLeast(recorded, zoom.last)];
  return { first_step: recorded[Math.max(0, first)], last_step: recorded[Math.min(recorded.length - 1, last)] };
}

/** Number of columns to ask for: one per pixel, in powers of two so that resizing doesn't ask anew, within a bound on the answer's size. */
export function columnsToAsk(width: CssPixels, nodes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(64, width)));
  const affordable = 2 ** Math.floor(Math.log2(MOST_CELLS / Math.max(1, nodes)));
  return Math.max(64, Math.min(4096, wanted, affordable));
}

/** 9 bytes each: 45 MB. */
const MOST_CELLS = 5_000_000;

/** Column that holds `step` or is nearest to it; −1 when there is none. */
export function nearestColumn(
  { start, stop, columns }: Pick<Matrix, "start" | "stop" | "columns">,
  step: Step,
): number {
  let [low, high] = [0, columns - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stop[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step < start[low] && step - stop[low - 1] <= start[low] - step ? low - 1 : high < 0 ? -1 : low;
}
