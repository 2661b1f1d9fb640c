/*
 * The evidence of a finding as a small picture: the statistic it rests on, over all steps, and the stretch in which it was so. The one invariant: the
 * whole history is shown, so that a reader can judge the rule.
 */

import type { Palette } from "../draw/palette";
import { crisp } from "../draw/pen";
import type { Pen } from "../draw/pen";
import type { Finding, Graph, Statistics } from "../types";
import { COUNTS, ELEMENTS, NAN_COUNT, NEG_INF_COUNT, POS_INF_COUNT } from "../types";
import type { CssPixels, Step } from "../units";
import type { Area } from "../widgets/canvas";

const PADDING: CssPixels = 3;

/** The series a finding rests on: a column of the run, or a count. NaN where nothing is recorded. */
export function seriesOf(data: Statistics, graph: Graph, statistic: string): Float64Array {
  const column = graph.statistics.indexOf(statistic);
  const count = (capture: number): number => {
    const at = capture * COUNTS;
    const infinite = data.counts[at + POS_INF_COUNT] + data.counts[at + NEG_INF_COUNT];
    return statistic === "inf_count" ? infinite : data.counts[at + NAN_COUNT];
  };
  const counted = statistic === "nan_count" || statistic === "inf_count";
  return Float64Array.from({ length: data.captures }, (_, capture) => {
    if (!(data.counts[capture * COUNTS + ELEMENTS] >= 0)) return NaN;
    if (counted) return count(capture);
    return column < 0 ? NaN : data.statistics[capture * data.columns + column];
  });
}

export interface EvidenceModel {
  readonly finding: Finding;
  readonly step: Float64Array;
  readonly series: Float64Array;
  readonly lastStep: Step;
}

export function paintEvidence(pen: Pen, { width, height }: Area, palette: Palette, model: EvidenceModel): void {
  const { finding, step, lastStep } = model;
  const x = (at: Step): CssPixels => PADDING + (at / Math.max(1, lastStep)) * (width - 2 * PADDING);
  const from = x(finding.first_step);
  const to = x(finding.last_step ?? lastStep);
  const color = palette.severity[finding.severity];
  pen.rect({ x: from - 1, y: 1, width: Math.max(4, to - from), height: height - 2 }, { color, opacity: 0.16 });
  pen.line(crisp(from), 1, crisp(from), height - 1, { color, width: 1, dash: [2, 2] });
  paintSeries(pen, palette, model, x, height);
  if (finding.statistic !== "nan_count" && finding.statistic !== "inf_count") return;
  model.series.forEach((value, capture) => {
    if (value > 0) pen.rect({ x: x(step[capture]) - 2, y: 4, width: 4, height: height - 10 }, { color: palette.nan });
  });
}

function paintSeries(
  pen: Pen,
  palette: Palette,
  { finding, step, series }: EvidenceModel,
  x: (at: Step) => CssPixels,
  height: CssPixels,
): void {
  let [low, high] = [Infinity, -Infinity];
  for (const value of series) {
    if (value < low && Number.isFinite(value)) low = value;
    if (value > high && Number.isFinite(value)) high = value;
  }
  if (!(high >= low)) return;
  const span = Math.max(high - low, Math.abs(high + low) * 0.05, 1e-30);
  const xs = Float32Array.from(step, x);
  const y = (value: number): CssPixels => height - 6 - ((value - low) / span) * (height - 12);
  const ys = Float32Array.from(series, (value) => (Number.isFinite(value) ? y(value) : NaN));
  pen.polyline(xs, ys, series.length, { color: palette.quantity[finding.quantity], width: 1.4 });
}
