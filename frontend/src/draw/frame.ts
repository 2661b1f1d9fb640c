/*
 * One frame for everything that wants to be painted.
 *
 * Painting is asked for per layer, and the newest request of a layer wins. The one invariant: a request is never dropped because another layer, or
 * another part of the same chart, asked in the same frame; each layer is painted at most once per frame, in the order of first asking.
 */

import type { Palette } from "./palette";
import { readPalette } from "./palette";

export type PaintLayer = (palette: Palette) => void;

const waiting = new Map<object, PaintLayer>();
let frame = 0;

/** Has `paint` run in the next frame, in place of what `layer` asked for before. */
export function paintInFrame(layer: object, paint: PaintLayer): void {
  waiting.set(layer, paint);
  if (frame === 0) frame = requestAnimationFrame(paintAll);
}

/** Takes back what `layer` asked for: it is gone from the page. */
export function forgetLayer(layer: object): void {
  waiting.delete(layer);
}

function paintAll(): void {
  frame = 0;
  const layers = [...waiting.values()];
  waiting.clear();
  const palette = readPalette();
  for (const paint of layers) paint(palette);
}
