/*
 * From numbers to pixels: a plane through a scale and a map of 256 colours.
 *
 * The one invariant: an element that is not finite gets no colour of the map. It is painted as paper here and listed, and who draws puts a hatch
 * or an arrow over it.
 */

import { COLORS, type Colormap, type Coloring } from "../colormap";
import type { Scale } from "../charts/scale";
import type { Pixels } from "../draw/pen";
import type { Plane } from "./plane";

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
export function paintPlane(plane: Plane, scale: Scale, map: Colormap): Painted {
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

/** What a picture is coloured with, ready to paint. */
export interface Ink {
  readonly coloring: Coloring;
  readonly map: Colormap;
}
