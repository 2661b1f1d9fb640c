/*
 * Which rows of a long list are in the document. The one invariant: every row that is on screen lies in the window, and the window
 * moves in whole blocks of rows, so that a scroll within a block renders nothing.
 */

import type { CssPixels } from "../units";

export interface RowWindow {
  readonly start: number;
  /** One past the last row. */
  readonly stop: number;
}

/** Rows added beyond each edge, and the size of a block. */
export const OVERSCAN = 8;

export function windowOf(scrollTop: CssPixels, height: CssPixels, rowHeight: CssPixels, count: number): RowWindow {
  const first = Math.floor(Math.max(0, scrollTop) / rowHeight / OVERSCAN) * OVERSCAN;
  const start = Math.max(0, Math.min(first - OVERSCAN, count));
  const visible = Math.ceil(height / rowHeight) + 1;
  return { start, stop: Math.min(count, first + visible + 2 * OVERSCAN) };
}

/** The scroll position nearest to `scrollTop` at which row `index` is wholly on screen. */
export function scrolledTo(index: number, scrollTop: CssPixels, height: CssPixels, rowHeight: CssPixels): CssPixels {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, Math.min(top, top + rowHeight - height));
}
