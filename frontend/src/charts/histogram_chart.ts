/*
 * Draws histograms over steps: as a heat map (steps × value, colour = √share) and as ridges.
 *
 * The one invariant: a share of zero has the colour of the surface, and any share above zero has another, so an empty bin can't be mistaken.
 */

import { COLORS, type Colormap } from "../colormap";
import type { Palette } from "../draw/palette";
import type { Box, Pen } from "../draw/pen";
import { formatCount, formatTick } from "../format";
import type { CssPixels, Step } from "../units";
import type { CommonHistogram } from "./histogram";
import { drawGaps, drawNonFinite, drawStepAxis, drawValueAxis, type Plot, plotBox, stepScale, xOf } from "./plot";
import { makeScale, ticks } from "./scale";
import { columnEdges, type Gap, nearestColumn, type StepRange } from "./timeline";

/** One run's histogram over its steps. */
export interface Lane {
  readonly name: string;
  readonly histogram: CommonHistogram;
  readonly gaps: readonly Gap[];
  readonly marks: readonly { readonly step: Step; readonly text: string }[];
}

export interface HistogramPicture {
  /** One below the other, on one axis of steps. */
  readonly lanes: readonly Lane[];
  readonly map: Colormap;
  readonly range: StepRange;
  /** See `saturatingShare`. */
  readonly saturating: number;
}

const LANE_GAP: CssPixels = 6;

/** Of the bins that hold something, this share stays below the darkest colour. */
const UNSATURATED = 0.97;

/**
 * The share that has the darkest colour. One dominating bin (the zeros after a ReLU) must not blank the rest, so it is not the largest of all.
 */
export function saturatingShare(shares: Float32Array): number {
  const present = shares.filter((share) => share > 0).sort();
  return present.length === 0 ? 1 : present[Math.floor((present.length - 1) * UNSATURATED)];
}

/** Returns the lanes' plots, top to bottom. */
export function drawHistogramHeat(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: HistogramPicture,
  palette: Palette,
): Plot[] {
  const { lanes, range } = picture;
  const whole = plotBox(width, height);
  const pitch = (whole.height + LANE_GAP) / lanes.length;
  const plots = lanes.map((lane, index): Plot => {
    const { low, high } = lane.histogram;
    const box = { ...whole, y: whole.y + index * pitch, height: pitch - LANE_GAP };
    const plot = { box, x: stepScale(range), y: makeScale("linear", low, high) };
    drawValueAxis(pen, plot, palette, "numbers");
    pen.clip(box, () => drawColumns(pen, plot, lane, picture));
    drawGaps(pen, plot, lane.gaps, palette);
    drawNonFinite(pen, plot, lane.marks, palette);
    const style = { color: palette.ink2, background: palette.surface };
    if (lanes.length > 1) pen.text(lane.name, box.x + 5, box.y + 9, style);
    return plot;
  });
  drawStepAxis(pen, plots[plots.length - 1], palette);
  return plots;
}

function largest(shares: Float32Array): number {
  let most = 0;
  for (const share of shares) if (share > most) most = share;
  return most;
}

/** One column of pixels as high as there are bins, stretched over the steps of each column of data. */
function drawColumns(pen: Pen, plot: Plot, { histogram, gaps }: Lane, { map, saturating }: HistogramPicture): void {
  const { bins, shares } = histogram;
  const { from, to } = columnEdges(histogram, gaps);
  for (let column = 0; column < histogram.start.length; column += 1) {
    if (histogram.counted[column] === 0) continue;
    const left = Math.floor(xOf(plot, from[column]));
    const right = Math.max(left + 1, Math.ceil(xOf(plot, to[column])));
    if (right < plot.box.x || left > plot.box.x + plot.box.width) continue;
    const data = new Uint32Array(bins);
    for (let bin = 0; bin < bins; bin += 1) {
      const share = shares[column * bins + bin];
      // Index 0 is the surface and means none at all.
      const index = share > 0 ? Math.max(1, Math.round(Math.sqrt(Math.min(1, share / saturating)) * (COLORS - 1))) : 0;
      data[bins - 1 - bin] = map.pixels[index];
    }
    pen.image({ data, width: 1, height: bins }, { ...plot.box, x: left, width: right - left });
  }
}

export interface RidgePicture {
  readonly histogram: CommonHistogram;
  /** Of a second run, drawn as grey outlines. */
  readonly other: CommonHistogram | null;
  readonly range: StepRange;
  readonly step: Step | null;
  readonly color: string;
}

const RIDGES = 13;
const RIDGE_MARGINS = { left: 52, right: 10, top: 4, bottom: 20 };
/** The highest ridge covers so many rows above its own, and more of them where that would be too few pixels. */
const OVERLAP = 2.4;
const LOWEST_PEAK: CssPixels = 30;

/** A dozen columns of the range, the current one among them in orange. Heights are √share, as the colours of the heat map. */
export function drawRidges(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: RidgePicture,
  palette: Palette,
): void {
  const { histogram, other } = picture;
  const box = plotBox(width, height, RIDGE_MARGINS);
  const scale = makeScale("linear", histogram.low, histogram.high);
  const bottom = box.y + box.height;
  for (const tick of ticks(scale, Math.max(2, Math.floor(box.width / 60)))) {
    const x = Math.round(box.x + scale.unit(tick) * box.width) + 0.5;
    pen.line(x, 4, x, bottom, { color: tick === 0 ? palette.control : palette.grid, width: 1 });
    pen.text(formatTick(tick), x, bottom + 11, { color: palette.ink3, align: "center" });
  }
  const { columns, current } = ridgeColumns(histogram, picture.range, picture.step);
  const theirs = columns.map((column) => (other === null ? -1 : nearestColumn(other, histogram.start[column])));
  const peaks = columns.map((column, index) =>
    Math.sqrt(Math.max(peak(histogram, column), other ? peak(other, theirs[index]) : 0)),
  );
  const rows = Math.max(OVERLAP, (LOWEST_PEAK * RIDGES) / box.height) / Math.max(...peaks, 1e-9);
  // Rows that whatever rises highest needs above the first.
  const above = Math.max(1, ...peaks.map((each, index) => each * rows - index));
  const pitch = box.height / (columns.length - 1 + above);
  columns.forEach((column, index) => {
    const base = box.y + (above + index) * pitch;
    const here = column === current;
    drawRidge(pen, ridgeLine(histogram, column, box, base, rows * pitch), here, picture.color, palette);
    // A run that ended earlier has nothing to set beside later steps.
    if (other !== null && histogram.start[column] <= other.stop[other.stop.length - 1]) {
      const { xs, ys } = ridgeLine(other, theirs[index], box, base, rows * pitch);
      pen.polyline(xs, ys, xs.length, { color: palette.compare, width: 1 });
    }
    // Every second ridge is labelled; neighbours of the current one give way to it.
    const near = current >= 0 && Math.abs(index - columns.indexOf(current)) === 1;
    if (!here && (index % 2 === 1 || near)) return;
    const style = { color: here ? palette.hereInk : palette.ink3, align: "right", bold: here } as const;
    pen.text(formatCount(histogram.start[column]), box.x - 6, base - 3, style);
  });
}

function peak(histogram: CommonHistogram, column: number): number {
  return largest(histogram.shares.subarray(column * histogram.bins, (column + 1) * histogram.bins));
}

/** Columns with data evenly over the range; the one of the current step takes the place of its nearest neighbour. */
export function ridgeColumns(
  histogram: CommonHistogram,
  range: StepRange,
  step: Step | null,
): { columns: number[]; current: number } {
  const inside: number[] = [];
  for (let column = 0; column < histogram.start.length; column += 1) {
    const visible = histogram.stop[column] >= range.first && histogram.start[column] <= range.last;
    if (visible && histogram.counted[column] > 0) inside.push(column);
  }
  const count = Math.min(RIDGES, inside.length);
  const columns = Array.from(
    { length: count },
    (_, index) => inside[Math.round((index * (inside.length - 1)) / Math.max(1, count - 1))],
  );
  const current = step === null ? -1 : nearestColumn(histogram, step);
  if (current < 0 || !inside.includes(current)) return { columns, current: -1 };
  const nearest = columns.reduce(
    (best, column, index) => (Math.abs(column - current) < Math.abs(columns[best] - current) ? index : best),
    0,
  );
  columns[nearest] = current;
  return { columns, current };
}

interface RidgeLine {
  readonly xs: Float32Array;
  readonly ys: Float32Array;
  readonly floor: Float32Array;
}

function ridgeLine(
  { bins, shares }: CommonHistogram,
  column: number,
  { x, width }: Box,
  base: CssPixels,
  scale: number,
): RidgeLine {
  const xs = Float32Array.from({ length: bins }, (_, bin) => x + ((bin + 0.5) / bins) * width);
  const ys = Float32Array.from({ length: bins }, (_, bin) => base - Math.sqrt(shares[column * bins + bin]) * scale);
  return { xs, ys, floor: new Float32Array(bins).fill(base) };
}

function drawRidge(pen: Pen, { xs, ys, floor }: RidgeLine, here: boolean, color: string, palette: Palette): void {
  const fill = here ? { color: palette.here, opacity: 0.45 } : { color, opacity: 0.14 };
  for (const each of [{ color: palette.surface, opacity: 0.9 }, fill]) pen.band(xs, floor, ys, xs.length, each);
  pen.polyline(xs, ys, xs.length, here ? { color: palette.hereLine, width: 1.75 } : { color, width: 1 });
}
