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
const TICK_DISTANCE: CssPixels = 36;

/** Room that a bar with its numbers takes beside a picture. */
export const COLORBAR_WIDTH: CssPixels = 76;
/** Between the picture and the bar. */
export const COLORBAR_GAP: CssPixels = 10;

/** An upright bar, low end at the bottom. */
export interface ColorbarPlace {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly height: CssPixels;
}

export function drawColorbar(
  pen: Pen,
  place: ColorbarPlace,
  { scale }: Coloring,
  map: Colormap,
  palette: Palette,
): void {
  const { x, y, height } = place;
  if (height < 10) return;
  if (Number.isNaN(scale.low)) {
    pen.text("nothing finite", x, y + 8, { color: palette.ink2 });
    return;
  }
  const data = Uint32Array.from({ length: COLORS }, (_, index) => map.pixels[COLORS - 1 - index]);
  pen.image({ data, width: 1, height: COLORS }, { x, y, width: BAR_WIDTH, height });
  pen.outline(
    { x: x + 0.5, y: y + 0.5, width: BAR_WIDTH - 1, height: height - 1 },
    { color: palette.control, width: 1 },
  );
  for (const tick of ticks(scale, Math.max(2, Math.floor(height / TICK_DISTANCE)))) {
    const at = crisp(y + (1 - scale.unit(tick)) * height);
    pen.line(x + BAR_WIDTH - 3, at, x + BAR_WIDTH + 3, at, { color: palette.control, width: 1 });
    pen.text(formatTick(tick), x + BAR_WIDTH + 9, at, { color: palette.ink2 });
  }
}

/** Points at one number on the bar: the one under the pointer. */
export function drawColorbarMark(
  pen: Pen,
  place: ColorbarPlace,
  { scale }: Coloring,
  value: number,
  palette: Palette,
): void {
  if (!Number.isFinite(value)) return;
  const y = place.y + (1 - Math.min(1, Math.max(0, scale.unit(value)))) * place.height;
  const x = place.x + BAR_WIDTH;
  pen.polygon([x + 1, y, x + 7, y - 4, x + 7, y + 4], { color: palette.hereLine });
}
