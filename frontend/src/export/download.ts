/*
 * Hands a file to the browser. The one invariant: the name has no character that a file system would refuse or read as a path.
 */

import { readPalette } from "../draw/palette";
import { SvgPen } from "../draw/svg_pen";
import { repaint } from "../charts/picture";
import type { Area, Paint } from "../widgets/canvas";

const LONGEST_NAME = 120;
/** Long enough for any browser to have taken the blob. */
const KEPT_MS = 60_000;
/** A picture for a slide or a page, not for this screen. */
const PNG_RATIO = 3;

/** `digits/train`, `encoder/conv2d@2`, `step 2400` → `digits-train encoder-conv2d@2 step 2400.npy`. */
export function fileName(parts: readonly string[], extension: string): string {
  const clean = parts
    .join(" ")
    .replace(/[\p{Cc}\p{Cf}"*:<>?\\|/]+/gu, "-")
    .replace(/^[.\s-]+|[.\s-]+$/g, "");
  return `${[...clean].slice(0, LONGEST_NAME).join("") || "activations"}.${extension}`;
}

export function download(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}

/** Draws the picture anew, on the surface of the theme, three times as fine. */
export function downloadPng(name: string, area: Area, paint: Paint): void {
  const canvas = document.createElement("canvas");
  repaint(canvas, area, PNG_RATIO, onSurface(paint), readPalette());
  canvas.toBlob((blob) => blob !== null && download(name, blob), "image/png");
}

export function downloadSvg(name: string, area: Area, paint: Paint): void {
  const palette = readPalette();
  const pen = new SvgPen(area.width, area.height, palette.font);
  onSurface(paint)(pen, area, palette);
  download(name, new Blob([pen.toString()], { type: "image/svg+xml" }));
}

const onSurface =
  (paint: Paint): Paint =>
  (pen, area, palette) => {
    pen.rect({ x: 0, y: 0, ...area }, { color: palette.surface });
    paint(pen, area, palette);
  };
