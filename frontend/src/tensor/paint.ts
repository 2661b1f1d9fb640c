/*
 * From numbers to pixels: a plane through a scale and a map of 256 colours.
 *
 * The one invariant: an element that is not finite gets no colour of the map. It is painted as paper here and listed, and who draws puts a hatch
 * or an arrow over it.
 */

import { COLORS, type Colormap, type Coloring, finiteRange } from "../colormap";
import { makeScale, type Scale } from "../charts/scale";
import type { Pixels } from "../draw/pen";
import { type Plane, planeOf, type Sliceable } from "./plane";

/** Cells that are not finite, as row, column pairs. */
export interface Marks {
  readonly nan: number[];
  readonly positive: number[];
  readonly negative: number[];
}

export interface Painted {
  readonly pixels: Pixels;
  readonly marks: Marks;
}

/** Paints `plane`. The linear scale, which images use, is worked out inline: it is the inner loop of scrubbing. */
export function paintPlane(plane: Plane, scale: Scale, map: Pick<Colormap, "pixels">): Painted {
  const { rows, columns, data, rowStride, columnStride } = plane;
  const out = new Uint32Array(rows * columns);
  const marks: Marks = { nan: [], positive: [], negative: [] };
  const linear = scale.kind === "linear";
  const factor = (COLORS - 1) / (scale.high - scale.low);
  let next = 0;
  for (let row = 0; row < rows; row += 1) {
    let at = plane.offset + row * rowStride;
    for (let column = 0; column < columns; column += 1, at += columnStride) {
      const value = data[at];
      const place = linear ? (value - scale.low) * factor : scale.unit(value) * (COLORS - 1);
      if (value - value === 0)
        out[next] = map.pixels[place <= 0 ? 0 : place >= COLORS - 1 ? COLORS - 1 : Math.round(place)];
      else note(marks, value, row, column);
      next += 1;
    }
  }
  return { pixels: { data: out, width: columns, height: rows }, marks };
}

function note(marks: Marks, value: number, row: number, column: number): void {
  const list = value === Infinity ? marks.positive : value === -Infinity ? marks.negative : marks.nan;
  list.push(row, column);
}

/**
 * One example of images [batch, height, width] or [batch, height, width, channels] as a person sees it: three channels are red, green and blue,
 * of others the first is painted with `gray`. The scale is that of all examples and channels.
 */
export function paintExample(images: Sliceable, example: number, gray: Colormap): Pixels {
  const range = finiteRange(images.data) ?? { low: 0, high: 1 };
  const scale = makeScale("linear", range.low, range.high);
  const paint = (channel: number, map: Pick<Colormap, "pixels">): Pixels =>
    paintPlane(planeOf(images, 1, 2, [example, 0, 0, channel]), scale, map).pixels;
  if (images.shape[3] !== 3) return paint(0, gray);
  const [red, ...others] = PRIMARY_COLORS.map((map, channel) => paint(channel, map));
  for (const { data } of others) data.forEach((color, at) => (red.data[at] |= color));
  return red;
}

/** Opaque black to red, to green, and to blue. */
const PRIMARY_COLORS = [0, 8, 16].map((bits) => ({
  pixels: Uint32Array.from({ length: COLORS }, (_, level) => (255 << 24) | (level << bits)),
}));

/** What a picture is coloured with, ready to paint. */
export interface Ink {
  readonly coloring: Coloring;
  readonly map: Colormap;
}
