/*
 * Hands a file to the browser. The one invariant: the name has no character that a file system would refuse or read as a path.
 */

import { CanvasPen } from "../draw/canvas_pen";
import type { Context } from "../draw/context";
import { measureFont } from "../draw/measure";
import { readPalette } from "../draw/palette";
import { SvgContext } from "../draw/svg_context";
import { run } from "../state";
import { type Area, type Drawing, drawOn, type Paint } from "../widgets/canvas";

const LONGEST_NAME = 120;
/** Long enough for any browser to have taken the blob. */
const KEPT_MS = 60_000;
/** A picture for a slide or a page, not for this screen. */
const PNG_RATIO = 3;
/** What browsers take for a canvas. */
const LARGEST_SIDE = 16_384;
const MOST_PIXELS = 2 ** 27;

/** `digits/train`, `encoder/conv2d@2`, `step 2400` → `digits-train encoder-conv2d@2 step 2400.npy`. */
export function fileName(parts: readonly string[], extension: string): string {
  const clean = parts
    .join(" ")
    .replace(/[\p{Cc}\p{Cf}"*:<>?\\|/]+/gu, "-")
    .replace(/^[.\s-]+|[.\s-]+$/g, "");
  return `${[...clean].slice(0, LONGEST_NAME).join("") || "activations"}.${extension}`;
}

/** The name of a file of the chosen run. */
export function runFile(parts: readonly string[], extension: string): string {
  return fileName([run.peek() ?? "", ...parts], extension);
}

export function download(name: string, ...parts: BlobPart[]): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}

/** Draws the picture anew, on the surface of the theme, three times as fine or as fine as a canvas can be. */
export function downloadPng(name: string, { area, draw }: Drawing): void {
  const canvas = document.createElement("canvas");
  const { width, height } = area;
  const ratio = Math.min(PNG_RATIO, LARGEST_SIDE / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)));
  drawOn(canvas, area, ratio, (context) => drawOnSurface(context, area, draw));
  canvas.toBlob((blob) => blob !== null && download(name, blob));
}

export function downloadSvg(name: string, { area, draw }: Drawing): void {
  const context = new SvgContext(area.width, area.height, measureFont);
  drawOnSurface(context, area, draw);
  download(name, context.toString());
}

function drawOnSurface(context: Context, { width, height }: Area, draw: Drawing["draw"]): void {
  const palette = readPalette();
  context.fillStyle = palette.surface;
  context.fillRect(0, 0, width, height);
  draw(context, palette);
}

/** What a picture of the page paints now, to be saved. */
export function drawingOf(area: Area, paint: Paint): Drawing {
  return { area, draw: (context, palette) => paint(new CanvasPen(context, palette.font), area, palette) };
}
