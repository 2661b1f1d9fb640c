/*
 * Draws statistics over steps: lanes of bands and lines over one axis of steps.
 *
 * The one invariant: nothing here depends on the current step. The base picture changes with data, size, zoom and theme only; hairline and
 * crosshair are drawn on a layer above, so that scrubbing costs no line.
 */

import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import type { CssPixels } from "../units";
import type { History } from "./history";
import { nonFiniteMarks } from "./history";
import type { AxisKind, Lane } from "./lanes";
import { compareLines } from "./lanes";
import {
  drawGaps,
  drawNonFinite,
  drawStepAxis,
  drawValueAxis,
  MARGINS,
  type Plot,
  plotBox,
  stepScale,
  xOf,
  yOf,
} from "./plot";
import { makeScale, type Scale } from "./scale";
import { bandPoints, linePoints, type Window } from "./series";
import { breaksOf, firstAtLeast, type Gap, type StepRange } from "./timeline";

export interface StatisticsPicture {
  readonly history: History;
  readonly lanes: readonly Lane[];
  readonly axis: AxisKind;
  readonly color: string;
  readonly range: StepRange;
  readonly gaps: readonly Gap[];
  readonly compare?: { readonly history: History; readonly gaps: readonly Gap[] };
}

const LANE_GAP: CssPixels = 10;
const LABEL_HEIGHT: CssPixels = 12;
const SMALLEST_LANE: CssPixels = 24;

/** Draws everything but the layer above; returns the lanes' plots, top to bottom. */
export function drawStatistics(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: StatisticsPicture,
  palette: Palette,
): Plot[] {
  const window = windowOf(picture.history, picture.gaps, picture.range, width);
  const plots = plotsOf(width, height, picture, window);
  const marks = nonFiniteMarks(picture.history);
  plots.forEach((plot, index) => {
    drawValueAxis(pen, plot, palette);
    pen.clip(plot.box, () => drawLane(pen, plot, picture.lanes[index], picture, window, palette));
    drawGaps(pen, plot, picture.gaps, palette);
    drawNonFinite(pen, plot, index === 0 ? marks : marks.map((mark) => ({ ...mark, text: "" })), palette);
    drawLabels(pen, plot, picture.lanes[index], window, palette);
  });
  const last = plots.at(-1);
  if (last !== undefined) drawStepAxis(pen, last, palette);
  return plots;
}

function plotsOf(width: CssPixels, height: CssPixels, picture: StatisticsPicture, window: Window): Plot[] {
  const whole = plotBox(width, height);
  const count = Math.max(1, picture.lanes.length);
  const laneHeight = Math.max(SMALLEST_LANE, (whole.height - (count - 1) * LANE_GAP) / count);
  return picture.lanes.map((lane, index) => ({
    box: { ...whole, y: whole.y + index * (laneHeight + LANE_GAP), height: laneHeight },
    x: stepScale(picture.range),
    y: valueScale(lane, picture, window),
  }));
}

/** The captures in sight, with one neighbour on each side so that lines run to the edge. */
export function windowOf(history: History, gaps: readonly Gap[], range: StepRange, width: CssPixels): Window {
  const { steps } = history;
  const plot = { box: plotBox(width, 1, MARGINS), x: stepScale(range) };
  const xs = Float32Array.from(steps, (step) => xOf(plot, step));
  return {
    xs,
    breaks: breaksOf(steps, gaps),
    start: Math.max(0, firstAtLeast(steps, range.first) - 1),
    stop: Math.min(steps.length, firstAtLeast(steps, range.last) + 1),
  };
}

/** The scale over all that a lane shows inside the window, with a little air. */
export function valueScale(lane: Lane, picture: StatisticsPicture, window: Window): Scale {
  const arrays = [
    ...lane.lines.flatMap((line) => (line.minor ? [] : [line.values])),
    ...lane.bands.flatMap((band) => [band.lower, band.upper]),
  ];
  const others = picture.compare === undefined ? [] : compareLines(picture.compare.history, lane.unit, picture.axis);
  let low = Infinity;
  let high = -Infinity;
  let smallest = Infinity;
  const include = (values: Float32Array, start: number, stop: number): void => {
    for (let row = start; row < stop; row += 1) {
      const value = values[row];
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      if (value !== 0 && Math.abs(value) < smallest) smallest = Math.abs(value);
    }
  };
  for (const values of arrays) include(values, window.start, window.stop);
  const { start, stop } =
    picture.compare === undefined ? window : windowOf(picture.compare.history, [], picture.range, 1);
  for (const values of others) include(values, start, stop);
  if (low > high) return makeScale(picture.axis === "log" ? "log" : "linear", picture.axis === "log" ? 0.1 : 0, 1);
  if (picture.axis === "log")
    return Number.isFinite(smallest)
      ? makeScale("log", smallest * 0.8, Math.max(high, smallest) * 1.5)
      : makeScale("log", 0.1, 1);
  const air = (high - low) * 0.04;
  const [from, to] = [low >= 0 ? 0 : low - air, high <= 0 ? 0 : high + air];
  if (picture.axis === "symlog" && Number.isFinite(smallest))
    return makeScale("symlog", from, to, Math.max(smallest, Math.max(-from, to) * 1e-6));
  return low === high && low !== 0
    ? makeScale("linear", Math.min(0, low * 1.2), Math.max(0, low * 1.2))
    : makeScale("linear", from, to);
}

function drawLane(
  pen: Pen,
  plot: Plot,
  lane: Lane,
  picture: StatisticsPicture,
  window: Window,
  palette: Palette,
): void {
  const toY = (value: number): CssPixels => yOf(plot, value);
  const { color } = picture;
  for (const band of lane.bands) {
    const points = bandPoints(band.lower, band.upper, window, toY);
    pen.band(points.xs, points.lower, points.upper, points.count, { color, opacity: band.opacity });
    if (!band.edges) continue;
    for (const edge of [band.upper, band.lower]) {
      const line = linePoints(edge, window, toY);
      pen.polyline(line.xs, line.ys, line.count, { color, width: 0.75 });
    }
  }
  for (const line of lane.lines) {
    const points = linePoints(line.values, window, toY);
    pen.polyline(points.xs, points.ys, points.count, { color, width: line.width, dash: line.dash });
  }
  if (picture.compare !== undefined) drawCompare(pen, plot, lane, picture, picture.compare, palette);
}

function drawCompare(
  pen: Pen,
  plot: Plot,
  lane: Lane,
  picture: StatisticsPicture,
  other: NonNullable<StatisticsPicture["compare"]>,
  palette: Palette,
): void {
  const window = windowOf(other.history, other.gaps, picture.range, plot.box.width + MARGINS.left + MARGINS.right);
  compareLines(other.history, lane.unit, picture.axis).forEach((values, index) => {
    const points = linePoints(values, window, (value) => yOf(plot, value));
    pen.polyline(points.xs, points.ys, points.count, {
      color: palette.compare,
      width: index === 0 ? 1.5 : 1,
      dash: [5, 3],
    });
  });
}

/** Names at the right end of the lines, left of the mark of the last step, pushed apart where they would overlap. */
function drawLabels(pen: Pen, plot: Plot, lane: Lane, window: Window, palette: Palette): void {
  const wanted = [
    ...lane.lines.map((line) => ({ text: line.label, bold: line.bold, y: endOf(plot, line.values, window) })),
    ...lane.bands
      .filter((band) => band.edges)
      .flatMap((band) => [
        { text: "max", bold: false, y: endOf(plot, band.upper, window) - 7 },
        { text: "min", bold: false, y: endOf(plot, band.lower, window) + 7 },
      ]),
  ].filter((label) => !Number.isNaN(label.y));
  const right = Math.min(plot.box.x + plot.box.width, window.xs[window.stop - 1]) - 4;
  for (const label of spread(wanted, plot.box.y + 6, plot.box.y + plot.box.height - 6)) {
    pen.text(label.text, right, label.y, {
      color: palette.ink2,
      align: "right",
      bold: label.bold,
      background: palette.surface,
    });
  }
}

function endOf(plot: Plot, values: Float32Array, window: Window): CssPixels {
  for (let row = window.stop - 1; row >= window.start; row -= 1) {
    const y = yOf(plot, values[row]);
    if (Number.isFinite(y)) return y;
  }
  return NaN;
}

/** Moves labels down, then up, until they are a line apart; those that find no room go. The first ones have precedence. */
export function spread<T extends { readonly y: CssPixels }>(
  labels: readonly T[],
  top: CssPixels,
  bottom: CssPixels,
): T[] {
  const room = Math.max(1, Math.floor((bottom - top) / LABEL_HEIGHT) + 1);
  const placed = labels
    .slice(0, room)
    .sort((a, b) => a.y - b.y)
    .map((label) => ({ ...label, y: Math.min(bottom, Math.max(top, label.y)) }));
  for (let index = 1; index < placed.length; index += 1)
    placed[index].y = Math.max(placed[index].y, placed[index - 1].y + LABEL_HEIGHT);
  for (let index = placed.length - 1, limit = bottom; index >= 0; index -= 1) {
    placed[index].y = Math.min(placed[index].y, limit);
    limit = placed[index].y - LABEL_HEIGHT;
  }
  return placed;
}
