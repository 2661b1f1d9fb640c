/*
 * One row's history as a small picture. Every column of the history spans from its smallest to its largest number, so no spike is
 * lost. The one invariant: a flat series looks flat (the range is at least 40 % of its middle), and NaN is a mark of its own, never a point.
 * What follows the step is painted apart, on a layer above, so that scrubbing draws no line anew.
 */

import type { Palette } from "../draw/palette";
import { crisp } from "../draw/pen";
import type { Pen } from "../draw/pen";
import type { Matrix, Quantity } from "../types";
import type { CssPixels, NodeIndex, Step } from "../units";

export interface SparklineFrame {
  readonly left: CssPixels;
  readonly top: CssPixels;
  readonly width: CssPixels;
  readonly height: CssPixels;
}

export interface SparklineModel {
  readonly matrix: Matrix;
  readonly node: NodeIndex;
  readonly quantity: Quantity;
  readonly lastStep: Step;
}

const MARGIN: CssPixels = 3;
/** One broken capture among thousands must be seen. */
const LEAST_BROKEN: CssPixels = 5;
const LEAST_RANGE = 0.4;
/** The same as `LEAST_RANGE`, in powers of ten: 1.2 times the middle over 0.8 times it. */
const LEAST_DECADES = Math.log10((1 + LEAST_RANGE / 2) / (1 - LEAST_RANGE / 2));

export interface Range {
  readonly low: number;
  readonly high: number;
  /** Gradients and updates that stay positive move over powers of ten. */
  readonly log: boolean;
}

/** The y range of a row; null when it has no finite number. */
export function rangeOf({ low, high, columns }: Matrix, node: NodeIndex, quantity: Quantity): Range | null {
  let [least, most] = [Infinity, -Infinity];
  for (let at = node * columns; at < (node + 1) * columns; at += 1) {
    if (low[at] < least) least = low[at];
    if (high[at] > most) most = high[at];
  }
  if (!(most >= least) || !Number.isFinite(most - least)) return null;
  const log = quantity !== "value" && least > 0;
  const [from, to] = log ? [Math.log10(least), Math.log10(most)] : [least, most];
  const middle = (from + to) / 2;
  const span = Math.max(to - from, log ? LEAST_DECADES : Math.abs(middle) * LEAST_RANGE, 1e-30);
  return { low: middle - span / 2, high: middle + span / 2, log };
}

/** Column that holds `step`, or the last one before it; −1 before the first. */
export function columnAt({ start, columns }: Matrix, step: Step): number {
  let column = -1;
  while (column + 1 < columns && start[column + 1] <= step) column += 1;
  return column;
}

const WIDEST = 4096;
const xs = new Float32Array(2 * WIDEST);
const ys = new Float32Array(2 * WIDEST);

function xScale({ left, width }: SparklineFrame, { lastStep }: SparklineModel): (at: Step) => CssPixels {
  return (at) => left + 0.5 + (at / Math.max(1, lastStep)) * (width - 1);
}

function yScale({ top, height }: SparklineFrame, range: Range): (value: number) => CssPixels {
  const scale = (height - 2 * MARGIN) / (range.high - range.low);
  return (value) => top + height - MARGIN - ((range.log ? Math.log10(value) : value) - range.low) * scale;
}

export function paintSparkline(pen: Pen, palette: Palette, frame: SparklineFrame, model: SparklineModel): void {
  const { matrix, node, quantity } = model;
  const range = rangeOf(matrix, node, quantity);
  if (range !== null) paintLine(pen, palette, frame, model, range);
  paintBroken(pen, palette, frame, model);
}

/** Columns that aren't finite, side by side, are one hatched band: the line beside it stays in sight. */
function paintBroken(pen: Pen, palette: Palette, frame: SparklineFrame, model: SparklineModel): void {
  const { matrix, node } = model;
  const x = xScale(frame, model);
  const broken = (column: number): boolean => matrix.nonfinite[node * matrix.columns + column] > 0;
  for (let column = 0; column < matrix.columns; column += 1) {
    if (!broken(column)) continue;
    const left = x(matrix.start[column]);
    while (column + 1 < matrix.columns && broken(column + 1)) column += 1;
    const width = Math.max(LEAST_BROKEN, x(matrix.stop[column]) - left);
    const end = frame.left + frame.width;
    pen.hatch({ x: Math.min(left, end - width), y: frame.top + 1, width, height: frame.height - 2 }, palette.nanHatch);
  }
}

/** Where the step is: a line through the picture, and a dot on the series. */
export function paintSparklinePlace(
  pen: Pen,
  palette: Palette,
  frame: SparklineFrame,
  model: SparklineModel,
  step: Step,
): void {
  const { matrix, node, quantity } = model;
  const here = xScale(frame, model)(step);
  pen.line(crisp(here - 0.5), frame.top, crisp(here - 0.5), frame.top + frame.height, {
    color: palette.hereLine,
    width: 1,
  });
  const column = columnAt(matrix, step);
  const at = node * matrix.columns + column;
  if (column < 0 || step > matrix.stop[column] || matrix.nonfinite[at] !== 0 || Number.isNaN(matrix.low[at])) return;
  const range = rangeOf(matrix, node, quantity);
  if (range === null) return;
  const y = yScale(frame, range);
  pen.circle(here, y((matrix.low[at] + matrix.high[at]) / 2), 2.2, { color: palette.hereLine });
}

function paintLine(pen: Pen, palette: Palette, frame: SparklineFrame, model: SparklineModel, range: Range): void {
  const { matrix, node, quantity } = model;
  const [x, y] = [xScale(frame, model), yScale(frame, range)];
  let count = 0;
  let before = NaN;
  const columns = Math.min(matrix.columns, WIDEST);
  for (let column = 0; column < columns; column += 1) {
    const at = node * matrix.columns + column;
    const middle = x((matrix.start[column] + matrix.stop[column]) / 2);
    const [near, far] = nearFirst(y(matrix.low[at]), y(matrix.high[at]), before);
    xs[count] = xs[count + 1] = middle;
    ys[count] = near;
    ys[count + 1] = far;
    count += 2;
    before = far;
  }
  pen.polyline(xs, ys, count, { color: palette.quantity[quantity], width: 1.25 });
}

/** Both ends of a column, the one nearer to where the line comes from first. */
function nearFirst(low: CssPixels, high: CssPixels, before: CssPixels): [CssPixels, CssPixels] {
  return Math.abs(high - before) < Math.abs(low - before) ? [high, low] : [low, high];
}
