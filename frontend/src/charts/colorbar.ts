/*
 * The bar beside a picture that says which colour is which number. The one invariant: it is drawn from the same scale and map as the picture.
 */

import { COLORS, type Coloring, type Colormap } from "../colormap";
import type { Palette } from "../draw/palette";
import { crisp, type Pen } from "../draw/pen";
import { formatTick } from "../format";
import type { CssPixels } from "../units";
import { ticks } from "./scale";

const BAR_WIDTH: CssPixels = 12;
const PADDING: CssPixels = 6;
const TICK_DISTANCE: CssPixels = 36;

/** Upright, low end at the bottom. `mark` points at one number: the one under the pointer. */
export function drawColorbar(
  pen: Pen,
  height: CssPixels,
  { scale }: Coloring,
  map: Colormap,
  palette: Palette,
  mark?: number,
): void {
  const length = height - 2 * PADDING;
  if (length < 10) return;
  const data = Uint32Array.from({ length: COLORS }, (_, index) => map.pixels[COLORS - 1 - index]);
  const box = { x: 0, y: PADDING, width: BAR_WIDTH, height: length };
  pen.image({ data, width: 1, height: COLORS }, box);
  pen.outline(
    { x: 0.5, y: PADDING + 0.5, width: BAR_WIDTH - 1, height: length - 1 },
    { color: palette.control, width: 1 },
  );
  const place = (value: number): CssPixels => PADDING + (1 - scale.unit(value)) * length;
  for (const tick of ticks(scale, Math.max(2, Math.floor(length / TICK_DISTANCE)))) {
    const y = crisp(place(tick));
    pen.line(BAR_WIDTH - 3, y, BAR_WIDTH + 3, y, { color: palette.control, width: 1 });
    pen.text(formatTick(tick), BAR_WIDTH + 6, Math.min(height - 5, Math.max(6, y)), { color: palette.ink2 });
  }
  if (mark === undefined || !Number.isFinite(mark)) return;
  const y = Math.min(PADDING + length, Math.max(PADDING, place(mark)));
  pen.polygon([BAR_WIDTH + 1, y, BAR_WIDTH + 7, y - 4, BAR_WIDTH + 7, y + 4], { color: palette.hereLine });
}
