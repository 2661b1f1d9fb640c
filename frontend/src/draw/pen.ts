/*
 * The pen: everything that charts and viewers can draw, in nine calls.
 *
 * Charts are pure functions from typed arrays to calls of a pen. Two pens exist: `CanvasPen` (the screen, PNG, and SVG by its context) and the
 * recording pen of the tests. The one invariant: what a chart shows is decided before the pen; no pen rounds, clips or leaves out.
 * All lengths are CSS pixels with the origin at the top left; `CanvasPen` alone knows about device pixels.
 */

import type { CssPixels } from "../units";

export interface Stroke {
  readonly color: string;
  readonly width: CssPixels;
  readonly dash?: readonly CssPixels[];
  readonly opacity?: number;
}

export interface Fill {
  readonly color: string;
  readonly opacity?: number;
}

export type Align = "left" | "center" | "right";

export interface TextStyle {
  readonly color: string;
  readonly align?: Align;
  readonly bold?: boolean;
  readonly size?: CssPixels;
  /** Painted behind the text, at 82 %, so that it stays readable over lines. */
  readonly background?: string;
}

/** Diagonal lines: what is outside every colour map. */
export interface Hatch {
  readonly color: string;
  readonly gap: CssPixels;
  readonly width: CssPixels;
  readonly background?: string;
}

/** Pixels of a small image, 0xAABBGGRR, row by row. */
export interface Pixels {
  readonly data: Uint32Array;
  readonly width: number;
  readonly height: number;
}

export interface Box {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly width: CssPixels;
  readonly height: CssPixels;
}

export const middleOf = ({ x, y, width, height }: Box): { readonly x: CssPixels; readonly y: CssPixels } => ({
  x: x + width / 2,
  y: y + height / 2,
});

export interface Pen {
  rect(box: Box, fill: Fill): void;
  outline(box: Box, stroke: Stroke): void;
  line(x0: CssPixels, y0: CssPixels, x1: CssPixels, y1: CssPixels, stroke: Stroke): void;
  /** A line through `count` points. A NaN in `ys` lifts the pen. */
  polyline(xs: Float32Array, ys: Float32Array, count: number, stroke: Stroke): void;
  /** The area between two lines. A NaN in either ends one piece of it. */
  band(xs: Float32Array, lower: Float32Array, upper: Float32Array, count: number, fill: Fill): void;
  /** A filled shape with straight sides: x0, y0, x1, y1 … */
  polygon(points: readonly CssPixels[], fill: Fill, stroke?: Stroke): void;
  /** A circle. */
  circle(x: CssPixels, y: CssPixels, radius: CssPixels, fill?: Fill, stroke?: Stroke): void;
  /** One line of text, vertically centred on `y`. */
  text(text: string, x: CssPixels, y: CssPixels, style: TextStyle): void;
  hatch(box: Box, hatch: Hatch): void;
  /** An image, enlarged without smoothing: one element stays one even rectangle. */
  image(pixels: Pixels, box: Box): void;
  textWidth(text: string, style?: Pick<TextStyle, "bold" | "size">): CssPixels;
  /** Everything that `draw` draws is cut off at the edges of `box`. */
  clip(box: Box, draw: () => void): void;
}

/** The middle of a device pixel row at zoom 1, where a hairline is sharp. */
export function crisp(value: CssPixels): CssPixels {
  return Math.round(value) + 0.5;
}
