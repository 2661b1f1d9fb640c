/*
 * Draws a vector as bars from zero.
 *
 * The one invariant: with more elements than pixels a column shows the range of its elements, so no extreme is lost; NaN is a hatched bar of
 * the full height and an infinity an arrow, never a bar of some height.
 */

import { drawValueAxis, type Plot, plotBox, yOf } from "../charts/plot";
import { makeScale } from "../charts/scale";
import { finiteRange } from "../colormap";
import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import type { CssPixels } from "../units";
import { drawAxisName, type IndexLabel, indexTicks } from "./heat_chart";
import { drawArrow } from "./marks";

export interface BarsPicture {
  readonly values: ArrayLike<number>;
  /** Index of each bar: the identity, or the order the user sorted by. */
  readonly order: Uint32Array;
  readonly color: string;
  /** What the bars are: `unit`, `channel`. */
  readonly name: string;
  readonly label: IndexLabel;
  readonly low: number;
  readonly high: number;
}

const MARGINS = { left: 48, right: 8, top: 8, bottom: 18 };

export function barsPlot(
  width: CssPixels,
  height: CssPixels,
  picture: Pick<BarsPicture, "values" | "low" | "high">,
): Plot {
  const own = finiteRange(picture.values) ?? { low: 0, high: 1 };
  const low = Math.min(0, picture.low, own.low);
  const high = Math.max(0, picture.high, own.high);
  const count = Math.max(1, picture.values.length);
  return {
    box: plotBox(width, height, MARGINS),
    x: makeScale("linear", 0, count),
    y: makeScale("linear", low, high > low ? high : 1),
  };
}

export function drawBars(pen: Pen, width: CssPixels, height: CssPixels, picture: BarsPicture, palette: Palette): Plot {
  const plot = barsPlot(width, height, picture);
  const { box } = plot;
  drawValueAxis(pen, plot, palette);
  const count = picture.values.length;
  if (count <= box.width) drawEach(pen, plot, picture, palette);
  else drawEnvelope(pen, plot, picture, palette);
  const zero = Math.round(yOf(plot, 0)) + 0.5;
  pen.line(box.x, zero, box.x + box.width, zero, { color: palette.control, width: 1 });
  for (const index of indexTicks(count, box.width, 40)) {
    const x = box.x + ((index + 0.5) / count) * box.width;
    pen.text(picture.label("column", picture.order[index]), x, box.y + box.height + 11, {
      color: palette.ink3,
      align: "center",
    });
  }
  drawAxisName(pen, picture.name, box.x, box.y + box.height + 11, palette);
  return plot;
}

function drawEach(pen: Pen, plot: Plot, { values, order, color }: BarsPicture, palette: Palette): void {
  const { box } = plot;
  const pitch = box.width / order.length;
  const width = Math.max(1, Math.min(24, pitch * 0.8));
  const zero = yOf(plot, 0);
  order.forEach((element, index) => {
    const value = values[element];
    const x = box.x + (index + 0.5) * pitch - width / 2;
    if (Number.isNaN(value)) pen.hatch({ ...box, x, width: Math.max(5, width) }, palette.nanHatch);
    else if (!Number.isFinite(value)) drawInfinite(pen, plot, value, x + width / 2, palette);
    else if (value !== 0) {
      const y = yOf(plot, value);
      pen.rect({ x, y: Math.min(y, zero), width, height: Math.max(1, Math.abs(zero - y)) }, { color });
    }
  });
}

function drawInfinite(pen: Pen, { box }: Plot, value: number, x: CssPixels, palette: Palette): void {
  const up = value > 0;
  drawArrow(
    pen,
    { x: x - 6, y: up ? box.y : box.y + box.height - 12, width: 12, height: 12 },
    up ? "up" : "down",
    palette,
  );
}

function drawEnvelope(pen: Pen, plot: Plot, { values, order, color }: BarsPicture, palette: Palette): void {
  const { box } = plot;
  const columns = Math.floor(box.width);
  for (let column = 0; column < columns; column += 1) {
    const start = Math.floor((column * order.length) / columns);
    const part = Array.from(
      order.subarray(start, Math.floor(((column + 1) * order.length) / columns)),
      (element) => values[element],
    );
    const range = finiteRange(part);
    const x = box.x + column;
    if (range !== undefined) {
      const [top, bottom] = [yOf(plot, Math.max(0, range.high)), yOf(plot, Math.min(0, range.low))];
      pen.rect({ x, y: top, width: 1, height: Math.max(1, bottom - top) }, { color });
    }
    if (part.some(Number.isNaN)) pen.hatch({ ...box, x: x - 2, width: 5 }, palette.nanHatch);
    const infinite = part.find((value) => Math.abs(value) === Infinity);
    if (infinite !== undefined) drawInfinite(pen, plot, infinite, x, palette);
  }
}

/** The bar under a point: its place in the order; −1 beside the plot. */
export function barAt(plot: Plot, count: number, x: CssPixels): number {
  const place = Math.floor(((x - plot.box.x) / plot.box.width) * count);
  return place >= 0 && place < count ? place : -1;
}
