/*
 * Draws histograms over steps: as a heat map (steps × value, colour = √share) and as ridges.
 *
 * The one invariant: a share of zero has the colour of the surface, and any share above zero has another, so an empty bin can't be mistaken.
 */

import { COLORS, type Colormap } from "../colormap";
import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import { formatCount, formatTick } from "../format";
import type { CssPixels, Step } from "../units";
import type { CommonHistogram } from "./histogram";
import { columnAt } from "./histogram";
import { drawGaps, drawNonFinite, drawStepAxis, drawValueAxis, type Plot, plotBox, stepScale, xOf } from "./plot";
import { makeScale, ticks } from "./scale";
import type { Gap, StepRange } from "./timeline";

export interface HistogramPicture {
  readonly histogram: CommonHistogram;
  readonly map: Colormap;
  readonly range: StepRange;
  readonly gaps: readonly Gap[];
  readonly marks: readonly { readonly step: Step; readonly text: string }[];
  /** See `saturatingShare`. */
  readonly saturating: number;
}

/** Of the bins that hold something, this share stays below the darkest colour. */
const UNSATURATED = 0.97;

/**
 * The share that has the darkest colour. One dominating bin (the zeros after a ReLU) must not blank the rest, so it is not the largest of all.
 */
export function saturatingShare(shares: Float32Array): number {
  const present = shares.filter((share) => share > 0).sort();
  return present.length === 0 ? 1 : present[Math.floor((present.length - 1) * UNSATURATED)];
}

/** Widest bar of one capture: two neighbours far apart don't smear one capture over thousands of steps without data. */
const TYPICAL_DISTANCES = 1;

export function drawHistogramHeat(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: HistogramPicture,
  palette: Palette,
): Plot {
  const { histogram, range } = picture;
  const plot: Plot = {
    box: plotBox(width, height),
    x: stepScale(range),
    y: makeScale("linear", histogram.low, histogram.high),
  };
  const full = picture.saturating;
  drawValueAxis(pen, plot, palette, "numbers");
  pen.clip(plot.box, () => drawColumns(pen, plot, picture, full));
  drawGaps(pen, plot, picture.gaps, palette);
  drawNonFinite(pen, plot, picture.marks, palette);
  drawStepAxis(pen, plot, palette);
  return plot;
}

function largest(shares: Float32Array): number {
  let most = 0;
  for (const share of shares) if (share > most) most = share;
  return most;
}

/** One column of pixels as high as there are bins, stretched over the steps of each column of data. */
function drawColumns(pen: Pen, plot: Plot, { histogram, map }: HistogramPicture, full: number): void {
  const { bins, shares } = histogram;
  const edges = columnEdges(histogram);
  for (let column = 0; column < histogram.start.length; column += 1) {
    if (histogram.counted[column] === 0) continue;
    const left = Math.floor(xOf(plot, edges[2 * column]));
    const right = Math.max(left + 1, Math.ceil(xOf(plot, edges[2 * column + 1])));
    if (right < plot.box.x || left > plot.box.x + plot.box.width) continue;
    const data = new Uint32Array(bins);
    for (let bin = 0; bin < bins; bin += 1) {
      const share = shares[column * bins + bin];
      // Index 0 is the surface and means none at all.
      const index = share > 0 ? Math.max(1, Math.round(Math.sqrt(Math.min(1, share / full)) * (COLORS - 1))) : 0;
      data[bins - 1 - bin] = map.pixels[index];
    }
    pen.image({ data, width: 1, height: bins }, { ...plot.box, x: left, width: right - left });
  }
}

/** Left and right edge of each column, in steps: up to the next column, but no farther than captures usually are apart. */
export function columnEdges(histogram: Pick<CommonHistogram, "start" | "stop">): Float64Array {
  const { start, stop } = histogram;
  const count = start.length;
  const distances = Float64Array.from(
    { length: Math.max(0, count - 1) },
    (_, index) => start[index + 1] - stop[index],
  ).sort();
  const usual = (distances[Math.floor(distances.length / 2)] ?? 1) * TYPICAL_DISTANCES;
  const edges = new Float64Array(2 * count);
  for (let column = 0; column < count; column += 1) {
    const next = column + 1 < count ? start[column + 1] : Infinity;
    edges[2 * column] = start[column];
    edges[2 * column + 1] = Math.min(next, stop[column] + usual);
  }
  return edges;
}

export interface RidgePicture {
  readonly histogram: CommonHistogram;
  readonly range: StepRange;
  readonly step: Step | null;
  readonly color: string;
  /** Draws all ridges on one base line. */
  readonly overlay: boolean;
}

const RIDGES = 13;
const RIDGE_MARGINS = { left: 52, right: 10, top: 34, bottom: 20 };

/** A dozen columns of the range, the current one among them in orange. Heights are √share, as the colours of the heat map. */
export function drawRidges(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: RidgePicture,
  palette: Palette,
): void {
  const { histogram } = picture;
  const box = plotBox(width, height, RIDGE_MARGINS);
  const scale = makeScale("linear", histogram.low, histogram.high);
  const bottom = box.y + box.height;
  for (const tick of ticks(scale, Math.max(2, Math.floor(box.width / 60)))) {
    const x = Math.round(box.x + scale.unit(tick) * box.width) + 0.5;
    pen.line(x, 4, x, bottom, { color: tick === 0 ? palette.control : palette.grid, width: 1 });
    pen.text(formatTick(tick), x, bottom + 11, { color: palette.ink3, align: "center" });
  }
  const { columns, current } = ridgeColumns(histogram, picture.range, picture.step);
  const rise = picture.overlay ? box.height : Math.max(RIDGE_MARGINS.top - 4, (2.4 * box.height) / RIDGES);
  const most = Math.sqrt(Math.max(...columns.map((column) => peak(histogram, column)), 1e-9));
  const order = picture.overlay
    ? [...columns.filter((column) => column !== current), ...(current < 0 ? [] : [current])]
    : columns;
  for (const column of order) {
    const place = columns.indexOf(column) / Math.max(1, columns.length - 1);
    const base = picture.overlay ? bottom : box.y + place * box.height;
    const line = ridgeLine(histogram, column, box.x, box.width, base, rise / most);
    drawRidge(pen, line, column === current, picture, palette);
    if (!picture.overlay) drawRidgeLabel(pen, columns, column, current, histogram, box.x - 6, base - 3, palette);
  }
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
  const current = step === null ? -1 : columnAt(histogram, step);
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
  histogram: CommonHistogram,
  column: number,
  left: CssPixels,
  width: CssPixels,
  base: CssPixels,
  scale: number,
): RidgeLine {
  const { bins, shares } = histogram;
  const xs = Float32Array.from({ length: bins }, (_, bin) => left + ((bin + 0.5) / bins) * width);
  const ys = Float32Array.from({ length: bins }, (_, bin) => base - Math.sqrt(shares[column * bins + bin]) * scale);
  return { xs, ys, floor: new Float32Array(bins).fill(base) };
}

function drawRidge(
  pen: Pen,
  line: RidgeLine,
  current: boolean,
  { color, overlay }: RidgePicture,
  palette: Palette,
): void {
  const count = line.xs.length;
  if (!overlay) pen.band(line.xs, line.floor, line.ys, count, { color: palette.surface, opacity: 0.9 });
  const fill = current ? { color: palette.here, opacity: 0.45 } : { color, opacity: overlay ? 0.05 : 0.14 };
  pen.band(line.xs, line.floor, line.ys, count, fill);
  pen.polyline(
    line.xs,
    line.ys,
    count,
    current ? { color: palette.hereLine, width: 1.75 } : { color, width: 1, opacity: overlay ? 0.6 : 1 },
  );
}

/** Every second ridge is labelled; neighbours of the current one give way to it. */
function drawRidgeLabel(
  pen: Pen,
  columns: readonly number[],
  column: number,
  current: number,
  histogram: CommonHistogram,
  x: CssPixels,
  y: CssPixels,
  palette: Palette,
): void {
  const index = columns.indexOf(column);
  const beside = current >= 0 && Math.abs(index - columns.indexOf(current)) === 1;
  if (column !== current && (index % 2 === 1 || beside)) return;
  const color = column === current ? palette.hereInk : palette.ink3;
  pen.text(formatCount(histogram.start[column]), x, y, { color, align: "right", bold: column === current });
}
