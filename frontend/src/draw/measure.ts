/** The width of a text in a font, as CSS writes it. */

import type { CssPixels } from "../units";

let context: CanvasRenderingContext2D | null = null;

export function measureFont(text: string, font: string): CssPixels {
  context ??= document.createElement("canvas").getContext("2d");
  if (context === null) return 0;
  context.font = font;
  return context.measureText(text).width;
}
