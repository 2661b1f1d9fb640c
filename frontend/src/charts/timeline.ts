/*
 * The axis of steps that all charts of a page share: its range, its gaps, and which capture lies under a place.
 *
 * The one invariant: a line never crosses captures that were lost. A gap runs from the last capture before the lost steps to the first one after.
 * Columns of captures don't overlap, and each holds its own steps.
 */

import type { CaptureIndex, Step } from "../units";

/** Lost captures: the line ends at `start` and goes on at `stop`. */
export interface Gap {
  readonly start: Step;
  readonly stop: Step;
}

/** The part of the axis that is shown. */
export interface StepRange {
  readonly first: Step;
  readonly last: Step;
}

/** Joins the dropped steps between two captures to one gap. Both arrays are ascending. */
export function gapsOf(recorded: Float64Array, dropped: Float64Array): Gap[] {
  const gaps: Gap[] = [];
  let after = 0;
  for (const lost of dropped) {
    while (after < recorded.length && recorded[after] < lost) after += 1;
    if (after < recorded.length && recorded[after] === lost) continue; // recorded after all, by a later session
    const start = after > 0 ? recorded[after - 1] : lost;
    const stop = after < recorded.length ? recorded[after] : dropped[dropped.length - 1];
    if (gaps.at(-1)?.start !== start) gaps.push({ start, stop });
  }
  return gaps;
}

/** 1 where a line must be lifted before this point, because captures between it and the point before were lost. */
export function breaksOf(steps: Float64Array, gaps: readonly Gap[]): Uint8Array {
  const breaks = new Uint8Array(steps.length);
  for (const gap of gaps) {
    const index = firstAtLeast(steps, gap.stop);
    if (index < steps.length && index > 0) breaks[index] = 1;
  }
  return breaks;
}

/** Index of the first step that is `aim` or later; the length when there is none. */
export function firstAtLeast(steps: Float64Array, aim: Step): CaptureIndex {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < aim) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The whole axis: from 0 to the last capture. */
export function wholeRange(recorded: Float64Array): StepRange {
  return { first: Math.min(0, recorded[0] ?? 0), last: Math.max(1, recorded.at(-1) ?? 1) };
}

/** The range between two places, at least one capture's distance wide and inside `whole`; undefined when it would be all. */
export function zoomed(whole: StepRange, from: Step, to: Step): StepRange | undefined {
  const first = Math.max(whole.first, Math.min(from, to));
  const last = Math.min(whole.last, Math.max(from, to));
  if (last - first < 1)
    return { first: Math.max(whole.first, Math.floor(first) - 1), last: Math.min(whole.last, Math.ceil(last) + 1) };
  return first <= whole.first && last >= whole.last ? undefined : { first, last };
}

/** Captures, or stretches of neighbouring ones: first and last step of each, ascending. */
export interface Columns {
  readonly start: Float64Array;
  readonly stop: Float64Array;
}

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
export function columnEdges({ start, stop }: Columns, gaps: readonly Gap[]): ColumnEdges {
  const columns = start.length;
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

/** Column that holds `step` or is nearest to it; −1 when there is none. */
export function nearestColumn({ start, stop }: Columns, step: Step): number {
  let [low, high] = [0, start.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stop[middle] < step) low = middle + 1;
    else high = middle;
  }
  return low > 0 && step < start[low] && step - stop[low - 1] <= start[low] - step ? low - 1 : high < 0 ? -1 : low;
}
