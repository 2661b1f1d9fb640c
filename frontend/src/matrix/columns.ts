/** Which columns of a matrix to ask for, and which of them each pixel shows. The one invariant: no column is without a pixel. */

import { type ColumnEdges, firstAtLeast, type StepRange } from "../charts/timeline";
import type { CssPixels, Step } from "../units";

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
