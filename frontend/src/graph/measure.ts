/** Widths of texts as the canvas will draw them, remembered: a label is measured once, however often it is laid out and painted. */

import type { CssPixels } from "../units";

/** A model has thousands of labels; hostile ones must not fill the memory for ever. */
const MOST_REMEMBERED = 50_000;

let context: CanvasRenderingContext2D | null = null;
const widths = new Map<string, CssPixels>();

export function measureText(text: string, size: CssPixels, bold = false): CssPixels {
  const rounded = Math.round(size * 4) / 4;
  const key = `${bold ? "b" : ""}${rounded}/${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  context ??= document.createElement("canvas").getContext("2d");
  if (context === null) return text.length * size * 0.55;
  const font = getComputedStyle(document.documentElement).getPropertyValue("--font");
  context.font = `${bold ? "600 " : ""}${rounded}px ${font}`;
  const { width } = context.measureText(text);
  if (widths.size >= MOST_REMEMBERED) widths.clear();
  widths.set(key, width);
  return width;
}
