/**
 * The matrix as a file: what is shown, with names, steps and the meaning of the colours.
 *
 * The one invariant: all rows that pass the filters are in it, also those that have to be scrolled to; where there are more than a picture can hold,
 * it says how many it has.
 */

import { CanvasPen } from "../draw/canvas_pen";
import type { Context } from "../draw/context";
import { measureFont } from "../draw/measure";
import type { Palette } from "../draw/palette";
import { formatCount } from "../format";
import { nodes, run, step } from "../state";
import type { CssPixels } from "../units";
import type { Area, Drawing } from "../widgets/canvas";
import { shown } from "../charts/shared";
import { plotWidth } from "./data";
import { paintBar, paintHeat, paintSteps } from "./paint";
import { barTitle, pictureOf, whatIsShown } from "./picture";
import { matrixRows } from "./view";

const ROW_HEIGHT: CssPixels = 18;
const MOST_ROWS = 800;
const TITLE: CssPixels = 30;
const AXIS: CssPixels = 24;
const BAR: CssPixels = 90;
const LEAST_BAR: CssPixels = 220;
const MARGIN: CssPixels = 12;
const FONT = "11px sans-serif";

/** Null before there is a matrix. */
export function matrixDrawing(): Drawing | null {
  const all = matrixRows.peek();
  const rows = all.slice(0, MOST_ROWS);
  const height = rows.length * ROW_HEIGHT;
  const plot = { width: plotWidth.peek(), height };
  const geometry = { range: shown.peek(), ...plot, rowHeight: ROW_HEIGHT, scrollTop: 0, count: rows.length };
  const picture = pictureOf(geometry, rows);
  if (picture === null) return null;
  const names = rows.map((index) => nodes.peek()[index].name);
  const labels = Math.ceil(Math.max(...names.map((name) => measureFont(name, FONT)))) + 2 * MARGIN;
  const count =
    rows.length < all.length ? `, the first ${formatCount(rows.length)} of ${formatCount(all.length)} rows` : "";
  const title = `${whatIsShown()}, ${run.peek()}${count}`;
  const bar = { width: BAR, height: Math.max(LEAST_BAR, height) };
  const shading = picture.shadingOf(rows[0]);
  const draw = (context: Context, palette: Palette): void => {
    const pen = new CanvasPen(context, palette.font);
    const at = (x: CssPixels, y: CssPixels, area: Area, paint: (area: Area) => void): void => {
      context.save();
      context.translate(x, y);
      paint(area);
      context.restore();
    };
    pen.text(title, MARGIN, TITLE / 2, { color: palette.ink, bold: true });
    names.forEach((name, row) => pen.text(name, MARGIN, TITLE + (row + 0.5) * ROW_HEIGHT, { color: palette.ink }));
    at(labels, TITLE, plot, (area) => paintHeat(pen, area, palette, picture, 1));
    at(labels, TITLE + height, { ...plot, height: AXIS }, (area) =>
      paintSteps(pen, area, palette, geometry, step.peek()),
    );
    at(labels + plot.width + MARGIN, TITLE, bar, (area) => paintBar(pen, area, palette, shading, barTitle(shading)));
  };
  return { area: { width: labels + plot.width + MARGIN + BAR, height: TITLE + bar.height + AXIS }, draw };
}
