/**
 * The pixels of the heat map: from numbers of the visible rows to colours.
 *
 * The one invariant: no extreme is hidden. The upper half of a row shows the largest, the lower half the smallest of what lies under a pixel (equal where
 * that is one capture), and NaN or Inf is at least five pixels wide however many captures share a pixel.
 */

import { colorIndex, type Colormap } from "../colormap";
import type { Scale } from "../charts/scale";
import type { Matrix } from "../types";
import type { NodeIndex } from "../units";
import type { PixelColumns } from "./columns";

/** Colours that lie outside the map, as the map's pixels: 0xAABBGGRR. */
export interface HatchColors {
  readonly nan: number;
  readonly nanPaper: number;
  readonly none: number;
  readonly noneLine: number;
  readonly surface: number;
}

export interface RasterRow {
  /** −1: nothing of the quantity is recorded. */
  readonly node: NodeIndex;
  readonly scale: Scale;
}

const NARROWEST_NONFINITE = 5;
const NONE = -1;
const NONFINITE = -2;

/** What each pixel of a row shows: an entry of the colour map for the highest and the lowest, or NONE, or NONFINITE. */
export interface Places {
  readonly high: Int16Array;
  readonly low: Int16Array;
}

/** Works out one row. */
export function rowPlaces(matrix: Matrix, { node, scale }: RasterRow, pixels: PixelColumns): Places {
  const width = pixels.first.length;
  const high = new Int16Array(width).fill(NONE);
  const low = new Int16Array(width).fill(NONE);
  const base = node * matrix.columns;
  let nonfinite = false;
  for (let x = 0; node >= 0 && x < width; x += 1) {
    let [least, most] = [Infinity, -Infinity];
    for (let column = pixels.first[x]; column < pixels.end[x]; column += 1) {
      const at = base + column;
      if (matrix.nonfinite[at] !== 0) high[x] = low[x] = NONFINITE;
      if (matrix.low[at] < least) least = matrix.low[at];
      if (matrix.high[at] > most) most = matrix.high[at];
    }
    if (high[x] === NONFINITE) nonfinite = true;
    else if (least <= most) [high[x], low[x]] = [colorIndex(scale, most), colorIndex(scale, least)];
  }
  if (nonfinite) widenNonfinite(high, low);
  return { high, low };
}

/** Makes every run of NONFINITE wide enough to be seen. */
function widenNonfinite(high: Int16Array, low: Int16Array): void {
  for (let x = 0; x < high.length; x += 1) {
    if (high[x] !== NONFINITE) continue;
    let end = x + 1;
    while (end < high.length && high[end] === NONFINITE) end += 1;
    const missing = NARROWEST_NONFINITE - (end - x);
    if (missing > 0) {
      const start = Math.max(0, Math.min(x - Math.floor(missing / 2), high.length - NARROWEST_NONFINITE));
      high.fill(NONFINITE, start, start + NARROWEST_NONFINITE);
      low.fill(NONFINITE, start, start + NARROWEST_NONFINITE);
      end = Math.max(end, start + NARROWEST_NONFINITE);
    }
    x = end;
  }
}

const NAN_PERIOD = 5;
const NONE_PERIOD = 6;

/**
 * Paints rows of `height` device pixels below each other; the last line of each is left to the surface. Hatches are part of the pixels: as strokes, ten
 * thousand short ones would take longer than all the rest.
 */
export function paintRows(
  rows: readonly Places[],
  width: number,
  height: number,
  map: Colormap,
  colors: HatchColors,
): Uint32Array {
  const data = new Uint32Array(width * height * rows.length).fill(colors.surface);
  const middle = Math.ceil((height - 1) / 2);
  rows.forEach(({ high, low }, row) => {
    for (let y = 0; y < height - 1; y += 1) {
      const line = (row * height + y) * width;
      const places = y < middle ? high : low;
      for (let x = 0; x < width; x += 1) {
        const place = places[x];
        if (place >= 0) data[line + x] = map.pixels[place];
        else if (place === NONFINITE) data[line + x] = (x + y) % NAN_PERIOD < 2 ? colors.nan : colors.nanPaper;
        else data[line + x] = (x + y) % NONE_PERIOD === 0 ? colors.noneLine : colors.none;
      }
    }
  });
  return data;
}
