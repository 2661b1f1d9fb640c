/*
 * From captures to the points of a line: at most four per column of pixels.
 *
 * The one invariant: reduction hides no extreme and no hole. Of each pixel column the first, smallest, largest and last value stay, in
 * their order in time, and a NaN or a gap lifts the pen wherever it stood.
 */

import type { CssPixels } from "../units";

export interface Points {
  readonly xs: Float32Array;
  readonly ys: Float32Array;
  readonly count: number;
}

export interface BandPoints {
  readonly xs: Float32Array;
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly count: number;
}

/** What of a series is drawn, and where. `xs` are the pixels of the captures, ascending; `breaks` as `breaksOf` makes them. */
export interface Window {
  readonly xs: Float32Array;
  readonly breaks: Uint8Array;
  readonly start: number;
  readonly stop: number;
}

/** `values` through `toY`, reduced. */
export function linePoints(values: ArrayLike<number>, window: Window, toY: (value: number) => CssPixels): Points {
  const { xs, breaks, start, stop } = window;
  const [outXs, outYs]: [number[], number[]] = [[], []];
  let index = start;
  while (index < stop) {
    const column = Math.floor(xs[index]);
    let first = -1;
    let low = -1;
    let high = -1;
    let last = -1;
    const emit = (): void => {
      if (first < 0) return;
      for (const at of new Set([first, Math.min(low, high), Math.max(low, high), last])) {
        outXs.push(xs[at]);
        outYs.push(toY(values[at]));
      }
      first = -1;
    };
    for (; index < stop && Math.floor(xs[index]) === column; index += 1) {
      const value = values[index];
      if (breaks[index] === 1 || !Number.isFinite(value)) {
        emit();
        if (!Number.isNaN(outYs[outYs.length - 1] ?? NaN)) {
          outXs.push(xs[index]);
          outYs.push(NaN);
        }
        if (!Number.isFinite(value)) continue;
      }
      if (first < 0) first = low = high = index;
      if (value < values[low]) low = index;
      if (value > values[high]) high = index;
      last = index;
    }
    emit();
  }
  return { xs: Float32Array.from(outXs), ys: Float32Array.from(outYs), count: outXs.length };
}

/** The area between `lower` and `upper`: of each pixel column the smallest of the one and the largest of the other. */
export function bandPoints(
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
  window: Window,
  toY: (value: number) => CssPixels,
): BandPoints {
  const { xs, breaks, start, stop } = window;
  const [outXs, below, above]: [number[], number[], number[]] = [[], [], []];
  let column = NaN;
  let low = NaN;
  let high = NaN;
  const emit = (x: CssPixels): void => {
    if (Number.isNaN(low)) return;
    outXs.push(x);
    below.push(toY(low));
    above.push(toY(high));
    low = high = NaN;
  };
  for (let index = start; index < stop; index += 1) {
    const from = lower[index];
    const to = upper[index];
    const missing = !Number.isFinite(from) || !Number.isFinite(to);
    const here = Math.floor(xs[index]);
    if (here !== column || missing || breaks[index] === 1) {
      emit(index > start ? xs[index - 1] : xs[index]);
      column = here;
    }
    if ((missing || breaks[index] === 1) && !Number.isNaN(below[below.length - 1] ?? NaN)) {
      outXs.push(xs[index]);
      below.push(NaN);
      above.push(NaN);
    }
    if (missing) continue;
    low = Number.isNaN(low) ? from : Math.min(low, from);
    high = Number.isNaN(high) ? to : Math.max(high, to);
  }
  if (stop > start) emit(xs[stop - 1]);
  const [points, lows, highs] = [outXs, below, above].map((list) => Float32Array.from(list));
  return { xs: points, lower: lows, upper: highs, count: outXs.length };
}
