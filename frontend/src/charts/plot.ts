/*
 * The frame of a chart over steps: plot area, axes, grid, gaps, and the marks that every such chart shares.
 *
 * The one invariant: all charts over steps that are given the same range and width put the same step at the same pixel, so the hairline of the
 * current step runs through them in one line.
 */

import { formatTick } from "../format";
import type { Palette } from "../draw/palette";
import { type Box, crisp, type Pen } from "../draw/pen";
import type { CssPixels, Step } from "../units";
import { makeScale, type Scale, ticks } from "./scale";
import type { Gap, StepRange } from "./timeline";

export interface Margins {
  readonly left: CssPixels;
  readonly right: CssPixels;
  readonly top: CssPixels;
  readonly bottom: CssPixels;
}

export const MARGINS: Margins = { left: 48, right: 12, top: 8, bottom: 18 };

export interface Plot {
  readonly box: Box;
  readonly x: Scale;
  readonly y: Scale;
}

const TICK_DISTANCE_X: CssPixels = 90;
const TICK_DISTANCE_Y: CssPixels = 34;
/** Two numbers would lie on each other here. */
const LOW: CssPixels = 36;
const TICK_LENGTH: CssPixels = 3;

export function plotBox(width: CssPixels, height: CssPixels, margins: Margins = MARGINS): Box {
  return {
    x: margins.left,
    y: margins.top,
    width: Math.max(1, width - margins.left - margins.right),
    height: Math.max(1, height - margins.top - margins.bottom),
  };
}

export function stepScale(range: StepRange): Scale {
  return makeScale("linear", range.first, range.last);
}

export function xOf(plot: Pick<Plot, "box" | "x">, step: Step): CssPixels {
  return plot.box.x + plot.x.unit(step) * plot.box.width;
}

export function yOf(plot: Pick<Plot, "box" | "y">, value: number): CssPixels {
  return plot.box.y + (1 - plot.y.unit(value)) * plot.box.height;
}

export function stepAt(plot: Pick<Plot, "box" | "x">, x: CssPixels): Step {
  return plot.x.invert((x - plot.box.x) / plot.box.width);
}

/** Horizontal grid with its numbers. The line of zero is darker when there are values on both sides of it. */
export function drawValueAxis(pen: Pen, plot: Plot, palette: Palette, grid: "grid" | "numbers" = "grid"): void {
  const { box, y } = plot;
  for (const tick of ticks(y, Math.max(box.height < LOW ? 1 : 2, Math.floor(box.height / TICK_DISTANCE_Y)))) {
    const at = crisp(yOf(plot, tick));
    if (at < box.y - 1 || at > box.y + box.height + 1) continue;
    const color = tick === 0 && y.low < 0 ? palette.control : palette.grid;
    if (grid === "grid") pen.line(box.x, at, box.x + box.width, at, { color, width: 1 });
    pen.text(formatTick(tick), box.x - 6, at, { color: palette.ink3, align: "right" });
  }
}

/** The axis of steps with round numbers, under the plot. */
export function drawStepAxis(pen: Pen, plot: Pick<Plot, "box" | "x">, palette: Palette): void {
  const { box, x } = plot;
  const bottom = box.y + box.height;
  pen.line(box.x, bottom + 0.5, box.x + box.width, bottom + 0.5, { color: palette.control, width: 1 });
  for (const tick of stepTicks(x, box.width)) {
    const at = xOf(plot, tick);
    pen.line(crisp(at), bottom, crisp(at), bottom + TICK_LENGTH, { color: palette.control, width: 1 });
    pen.text(formatTick(tick), at, bottom + 11, { color: palette.ink3, align: alignedIn(box, at) });
  }
}

/** Round steps on an axis so wide; there is none before 0. */
export function stepTicks(x: Scale, width: CssPixels): number[] {
  const all = ticks(x, Math.max(2, Math.floor(width / TICK_DISTANCE_X)));
  return all.filter((tick) => Number.isInteger(tick) && tick >= 0);
}

/** How the number of a tick stands under it, so that the ends of the axis don't cut it off. */
export function alignedIn({ x, width }: Pick<Box, "x" | "width">, at: CssPixels): "left" | "center" | "right" {
  return at < x + 14 ? "left" : at > x + width - 18 ? "right" : "center";
}

/** Steps that were lost, hatched over the height of the plot. */
export function drawGaps(pen: Pen, plot: Pick<Plot, "box" | "x">, gaps: readonly Gap[], palette: Palette): void {
  const { box } = plot;
  for (const gap of gaps) {
    const left = Math.max(box.x, xOf(plot, gap.start) + 1);
    const right = Math.min(box.x + box.width, xOf(plot, gap.stop) - 1);
    const width = Math.max(1, right - left);
    if (right >= box.x && left <= box.x + box.width) pen.hatch({ ...box, x: left, width }, palette.gapHatch);
  }
}

/** The orange hairline with its triangle: you are here. */
export function drawCurrentStep(pen: Pen, plot: Pick<Plot, "box" | "x">, step: Step, palette: Palette): void {
  const { box } = plot;
  const at = crisp(xOf(plot, step));
  if (at < box.x - 1 || at > box.x + box.width + 1) return;
  pen.line(at, box.y - 4, at, box.y + box.height, { color: palette.hereLine, width: 1 });
  pen.polygon([at - 4, box.y - 6, at + 4, box.y - 6, at, box.y], { color: palette.hereLine });
}

export function drawCrosshair(pen: Pen, plot: Pick<Plot, "box" | "x">, step: Step, palette: Palette): void {
  const { box } = plot;
  const at = crisp(xOf(plot, step));
  if (at < box.x - 1 || at > box.x + box.width + 1) return;
  pen.line(at, box.y, at, box.y + box.height, { color: palette.ink2, width: 1, dash: [2, 3] });
}

/** A range that is being dragged. */
export function drawBrush(pen: Pen, plot: Pick<Plot, "box" | "x">, brush: StepRange, palette: Palette): void {
  const left = xOf(plot, brush.first);
  const box = { ...plot.box, x: left, width: xOf(plot, brush.last) - left };
  pen.rect(box, { color: palette.here, opacity: 0.16 });
  pen.outline(box, { color: palette.hereLine, width: 1 });
}

/** A capture with elements that are not finite: magenta hatch over the whole height, at least 5 px wide, and the count in words. */
export function drawNonFinite(
  pen: Pen,
  plot: Pick<Plot, "box" | "x">,
  marks: readonly { readonly step: Step; readonly text: string }[],
  palette: Palette,
): void {
  const { box } = plot;
  const seen = marks
    .map(({ step, text }) => ({ x: xOf(plot, step), text }))
    .filter(({ x }) => x >= box.x && x <= box.x + box.width);
  for (const { x } of seen) pen.hatch({ ...box, x: x - 3, width: 6 }, palette.nanHatch);
  let free = box.x; // left edge from which a label has room
  // After all of the hatch, which would cross them out.
  for (const { x, text } of seen) {
    const width = pen.textWidth(text, { bold: true }) + 10;
    const left = x - 8 - width >= free ? x - 8 - width : x + 8;
    if (left < free || left + width > box.x + box.width) continue;
    pen.rect({ x: left, y: box.y, width, height: 16 }, { color: palette.nan });
    pen.text(text, left + width / 2, box.y + 8.5, { color: palette.nanPaper, align: "center", bold: true });
    free = left + width + 4;
  }
}
