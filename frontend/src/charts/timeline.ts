/*
 * The axis of steps that all charts of a page share: its range, its gaps, and which capture lies under a place.
 *
 * The one invariant: a line never crosses captures that were lost. A gap runs from the last capture before the lost steps to the first one after.
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
