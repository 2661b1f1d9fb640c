/** Widths of texts as the canvas will draw them, remembered: a label is measured once, however often it is laid out and painted. */

import { measureFont } from "../draw/measure";
import type { CssPixels } from "../units";

/** A model has thousands of labels; hostile ones must not fill the memory for ever. */
const MOST_REMEMBERED = 50_000;

const widths = new Map<string, CssPixels>();

/** Widths grow with the font size, so one measurement serves every zoom. */
const MEASURED_SIZE: CssPixels = 12;

export function measureText(text: string, size: CssPixels, bold = false): CssPixels {
  const key = bold ? `b/${text}` : `n/${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size >= MOST_REMEMBERED) widths.clear();
    width = measureAnew(text, bold);
    widths.set(key, width);
  }
  return (width * size) / MEASURED_SIZE;
}

function measureAnew(text: string, bold: boolean): CssPixels {
  const font = getComputedStyle(document.documentElement).getPropertyValue("--font");
  return measureFont(text, `${bold ? "600 " : ""}${MEASURED_SIZE}px ${font}`);
}
