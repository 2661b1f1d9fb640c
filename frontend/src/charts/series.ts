/*
 * From captures to the points of a line: at most four per column of pixels.
 *
 * The one invariant: reduction hides no extreme and no hole. Of each pixel column the first, smallest, largest and last value stay, in
 * their order in time, and a NaN or a gap lifts the pen wherever it stood. The output buffers are reused from paint to paint.
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

/** Points that a column of pixels can give: entry, two extremes, exit, and one lift of the pen. */
const POINTS_PER_COLUMN = 5;

class PointBuffer {
  xs: Float32Array;
  ys: Float32Array;
  count = 0;

  constructor(capacity: number) {
    this.xs = new Float32Array(capacity);
    this.ys = new Float32Array(capacity);
  }

  push(x: CssPixels, y: CssPixels): void {
    if (this.count === this.xs.length) this.grow();
    this.xs[this.count] = x;
    this.ys[this.count] = y;
    this.count += 1;
  }

  lift(x: CssPixels): void {
    if (this.count > 0 && !Number.isNaN(this.ys[this.count - 1])) this.push(x, NaN);
  }

  private grow(): void {
    const grown = new PointBuffer(this.xs.length * 2);
    grown.xs.set(this.xs);
    grown.ys.set(this.ys);
    this.xs = grown.xs;
    this.ys = grown.ys;
  }
}

/** `values` through `toY`, reduced. */
export function linePoints(values: ArrayLike<number>, window: Window, toY: (value: number) => CssPixels): Points {
  const { xs, breaks, start, stop } = window;
  const width = stop > start ? xs[stop - 1] - xs[start] : 0;
  const out = new PointBuffer(Math.min(2 * (stop - start) + 1, (Math.ceil(width) + 2) * POINTS_PER_COLUMN) + 1);
  let index = start;
  while (index < stop) {
    const column = Math.floor(xs[index]);
    let first = -1;
    let low = -1;
    let high = -1;
    let last = -1;
    const emit = (): void => {
      if (first < 0) return;
      for (const at of distinct(first, Math.min(low, high), Math.max(low, high), last))
        out.push(xs[at], toY(values[at]));
      first = -1;
    };
    for (; index < stop && Math.floor(xs[index]) === column; index += 1) {
      const value = values[index];
      if (breaks[index] === 1 || !Number.isFinite(value)) {
        emit();
        out.lift(xs[index]);
        if (!Number.isFinite(value)) continue;
      }
      if (first < 0) first = low = high = index;
      if (value < values[low]) low = index;
      if (value > values[high]) high = index;
      last = index;
    }
    emit();
  }
  return out;
}

function distinct(first: number, second: number, third: number, last: number): number[] {
  const chosen = [first];
  for (const index of [second, third, last]) if (index > chosen[chosen.length - 1]) chosen.push(index);
  return chosen;
}

/** The area between `lower` and `upper`: of each pixel column the smallest of the one and the largest of the other. */
export function bandPoints(
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
  window: Window,
  toY: (value: number) => CssPixels,
): BandPoints {
  const { xs, breaks, start, stop } = window;
  const below = new PointBuffer(2 * (stop - start) + 2);
  const above = new PointBuffer(2 * (stop - start) + 2);
  let column = NaN;
  let low = NaN;
  let high = NaN;
  const emit = (x: CssPixels): void => {
    if (Number.isNaN(low)) return;
    below.push(x, toY(low));
    above.push(x, toY(high));
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
    if (missing || breaks[index] === 1) {
      below.lift(xs[index]);
      above.lift(xs[index]);
    }
    if (missing) continue;
    low = Number.isNaN(low) ? from : Math.min(low, from);
    high = Number.isNaN(high) ? to : Math.max(high, to);
  }
  if (stop > start) emit(xs[stop - 1]);
  return { xs: below.xs, lower: below.ys, upper: above.ys, count: below.count };
}
