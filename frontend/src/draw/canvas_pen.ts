/*
 * The pen that draws on a context: a canvas's, or that of an SVG file.
 *
 * The one invariant: the context's own state (dash, opacity, font) is set by every call that depends on it and never carried over, so the
 * order of calls changes only what covers what.
 */

import type { CssPixels } from "../units";
import type { Context } from "./context";
import type { Box, Fill, Hatch, Pen, Pixels, Stroke, TextStyle } from "./pen";

const TEXT_SIZE: CssPixels = 11;
const LABEL_BACKGROUND_OPACITY = 0.82;

export class CanvasPen implements Pen {
  #scratch: HTMLCanvasElement | null = null;

  constructor(
    private readonly context: Context,
    private readonly fontFamily: string,
  ) {
    context.imageSmoothingEnabled = false;
    context.lineJoin = "round";
    context.textBaseline = "middle";
  }

  rect(box: Box, fill: Fill): void {
    this.#useFill(fill);
    this.context.fillRect(box.x, box.y, box.width, box.height);
  }

  outline(box: Box, stroke: Stroke): void {
    this.#useStroke(stroke);
    this.context.strokeRect(box.x, box.y, box.width, box.height);
  }

  line(x0: CssPixels, y0: CssPixels, x1: CssPixels, y1: CssPixels, stroke: Stroke): void {
    this.#useStroke(stroke);
    this.context.beginPath();
    this.context.moveTo(x0, y0);
    this.context.lineTo(x1, y1);
    this.context.stroke();
  }

  polyline(xs: Float32Array, ys: Float32Array, count: number, stroke: Stroke): void {
    this.#useStroke(stroke);
    const { context } = this;
    context.beginPath();
    let down = false;
    for (let index = 0; index < count; index += 1) {
      if (Number.isNaN(ys[index])) {
        down = false;
      } else if (down) {
        context.lineTo(xs[index], ys[index]);
      } else {
        // A point alone between two gaps would have no length: make it a dot.
        const half = index + 1 >= count || Number.isNaN(ys[index + 1]) ? halfOfOne(count) : 0;
        context.moveTo(xs[index] - half, ys[index]);
        context.lineTo(xs[index] + half, ys[index]);
        down = true;
      }
    }
    context.stroke();
  }

  band(xs: Float32Array, lower: Float32Array, upper: Float32Array, count: number, fill: Fill): void {
    this.#useFill(fill);
    const { context } = this;
    for (const [start, stop] of pieces(lower, upper, count)) {
      context.beginPath();
      for (let index = start; index < stop; index += 1) context.lineTo(xs[index], upper[index]);
      if (stop - start === 1) {
        const half = halfOfOne(count);
        context.rect(xs[start] - half, upper[start], 2 * half, lower[start] - upper[start]);
      }
      for (let index = stop - 1; index >= start; index -= 1) context.lineTo(xs[index], lower[index]);
      context.fill();
    }
  }

  polygon(points: readonly CssPixels[], fill: Fill, stroke?: Stroke): void {
    const { context } = this;
    context.beginPath();
    for (let index = 0; index < points.length; index += 2) context.lineTo(points[index], points[index + 1]);
    context.closePath();
    this.#paintPath(fill, stroke);
  }

  circle(x: CssPixels, y: CssPixels, radius: CssPixels, fill?: Fill, stroke?: Stroke): void {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.#paintPath(fill, stroke);
  }

  text(text: string, x: CssPixels, y: CssPixels, style: TextStyle): void {
    const { context } = this;
    this.#useFont(style);
    if (style.background !== undefined) {
      const width = context.measureText(text).width + 4;
      const left = style.align === "right" ? x - width + 2 : style.align === "center" ? x - width / 2 : x - 2;
      context.globalAlpha = LABEL_BACKGROUND_OPACITY;
      context.fillStyle = style.background;
      context.fillRect(left, y - 6, width, 12);
    }
    context.globalAlpha = 1;
    context.textAlign = style.align ?? "left";
    context.fillStyle = style.color;
    context.fillText(text, x, y);
  }

  hatch(box: Box, hatch: Hatch): void {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width, box.height);
    context.clip();
    if (hatch.background !== undefined) this.rect(box, { color: hatch.background });
    this.#useStroke(hatch);
    context.beginPath();
    for (let offset = -box.height; offset < box.width; offset += hatch.gap) {
      context.moveTo(box.x + offset, box.y + box.height);
      context.lineTo(box.x + offset + box.height, box.y);
    }
    context.stroke();
    context.restore();
  }

  image(pixels: Pixels, box: Box): void {
    const { context } = this;
    const scratch = (this.#scratch ??= document.createElement("canvas"));
    scratch.width = pixels.width;
    scratch.height = pixels.height;
    const bytes = new Uint8ClampedArray(
      pixels.data.buffer as ArrayBuffer,
      pixels.data.byteOffset,
      pixels.data.byteLength,
    );
    scratch.getContext("2d")?.putImageData(new ImageData(bytes, pixels.width, pixels.height), 0, 0);
    context.globalAlpha = 1;
    context.imageSmoothingEnabled = false;
    context.drawImage(scratch, box.x, box.y, box.width, box.height);
  }

  textWidth(text: string, style: Pick<TextStyle, "bold" | "size"> = {}): CssPixels {
    this.#useFont(style);
    return this.context.measureText(text).width;
  }

  clip(box: Box, draw: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(box.x, box.y, box.width, box.height);
    this.context.clip();
    draw();
    this.context.restore();
  }

  #paintPath(fill: Fill | undefined, stroke: Stroke | undefined): void {
    if (fill !== undefined) {
      this.#useFill(fill);
      this.context.fill();
    }
    if (stroke !== undefined) {
      this.#useStroke(stroke);
      this.context.stroke();
    }
  }

  #useFont(style: Pick<TextStyle, "bold" | "size">): void {
    this.context.font = `${style.bold === true ? "600 " : ""}${style.size ?? TEXT_SIZE}px ${this.fontFamily}`;
  }

  #useFill(fill: Fill): void {
    this.context.globalAlpha = fill.opacity ?? 1;
    this.context.fillStyle = fill.color;
  }

  #useStroke(stroke: Stroke): void {
    this.context.globalAlpha = stroke.opacity ?? 1;
    this.context.strokeStyle = stroke.color;
    this.context.lineWidth = stroke.width;
    this.context.setLineDash(stroke.dash ?? []);
  }
}

/** Half the width of a point without neighbours. One that is all there is has to be seen under the line of the current step. */
const halfOfOne = (count: number): CssPixels => (count > 1 ? 1 : 3);

/** Runs [start, stop) in which both lines have a number. */
function* pieces(lower: Float32Array, upper: Float32Array, count: number): Generator<[number, number]> {
  let start = -1;
  for (let index = 0; index <= count; index += 1) {
    const broken = index === count || Number.isNaN(lower[index] + upper[index]);
    if (broken && start >= 0) {
      yield [start, index];
      start = -1;
    } else if (!broken && start < 0) {
      start = index;
    }
  }
}
