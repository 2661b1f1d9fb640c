/*
 * The step ruler as a picture: one tick per capture, epochs, the loss as terrain, findings as marks, dropped captures hatched, and where we
 * are. A pure function from the run's steps to calls of a pen.
 *
 * The one invariant: x is the step, linear from 0 to the last capture, the same everywhere. Ticks thin out when there is no room for them;
 * snapping (`stepAt`) stays exact.
 */

import { roundStep, ticks, makeScale } from "../charts/scale";
import { gapsOf } from "../charts/timeline";
import type { Palette } from "../draw/palette";
import { crisp } from "../draw/pen";
import { severityCorners } from "../draw/severity";
import type { Pen } from "../draw/pen";
import { formatCount } from "../format";
import { nearestCapture } from "../state";
import type { Finding, Severity, Steps } from "../types";
import type { CssPixels, Step } from "../units";
import type { Area } from "../widgets/canvas";

export interface RulerModel {
  readonly steps: Steps;
  readonly step: Step;
  readonly compareStep: Step | null;
  readonly findings: readonly Finding[];
}

/** Space left of step 0 and right of the last one, for half a label. */
const LEFT: CssPixels = 10;
const RIGHT: CssPixels = 16;
/** Below the marks of findings. */
const TOP: CssPixels = 16;
/** Above the labels. */
const BOTTOM: CssPixels = 17;
const LABEL_SPACING: CssPixels = 110;
const MARK_Y: CssPixels = 8;
const MARK_RADIUS: CssPixels = 5;
const MARK_SCALE = 0.66;

/** Between steps and pixels. */
export interface RulerScale {
  readonly x: (step: Step) => CssPixels;
  readonly step: (x: CssPixels) => Step;
}

export function rulerScale(last: Step, width: CssPixels): RulerScale {
  const span = Math.max(1, width - LEFT - RIGHT);
  const steps = Math.max(1, last);
  return { x: (step) => LEFT + (step / steps) * span, step: (x) => ((x - LEFT) / span) * steps };
}

export function lastStep(steps: Steps): Step {
  return steps.step[steps.step.length - 1] ?? 0;
}

/** The recorded step nearest to pixel `x`. */
export function stepAt(steps: Steps, x: CssPixels, width: CssPixels): Step {
  return steps.step[nearestCapture(steps.step, rulerScale(lastStep(steps), width).step(x))];
}

/** The finding whose mark is under the pointer; the one painted last, on top, wins. */
export function findingAt(model: RulerModel, x: CssPixels, y: CssPixels, width: CssPixels): Finding | null {
  if (y > TOP) return null;
  const scale = rulerScale(lastStep(model.steps), width);
  const near = (finding: Finding): boolean => Math.abs(scale.x(finding.first_step) - x) <= MARK_RADIUS + 1;
  return model.findings.filter(near).at(-1) ?? null;
}

/** What changes with the run only. */
export function paintRuler(pen: Pen, { width, height }: Area, palette: Palette, { steps, findings }: RulerModel): void {
  const scale = rulerScale(lastStep(steps), width);
  const base = height - BOTTOM;
  paintLoss(pen, palette, steps, scale, base);
  paintEpochs(pen, palette, steps, scale, base);
  paintTicks(pen, palette, steps, scale, base, width);
  paintDropped(pen, palette, steps, scale, base);
  for (const finding of findings) paintMark(pen, palette, finding.severity, scale.x(finding.first_step));
}

/** What follows the current step: where we are, what we compare with, and the labels, which make room for it. */
export function paintPlace(pen: Pen, { width, height }: Area, palette: Palette, model: RulerModel): void {
  const scale = rulerScale(lastStep(model.steps), width);
  const base = height - BOTTOM;
  paintLabels(pen, palette, model, scale, base, width);
  if (model.compareStep !== null) {
    const x = crisp(scale.x(model.compareStep));
    pen.line(x, 3, x, base, { color: palette.compare, width: 1, dash: [4, 3] });
  }
  paintHere(pen, palette, scale.x(model.step), base);
}

/** The loss as a faint area: high at first, and spikes stay visible because neighbours are joined by their largest. */
function paintLoss(pen: Pen, palette: Palette, steps: Steps, scale: RulerScale, base: CssPixels): void {
  const peaks = columnPeaks(steps, scale);
  const top = upperLimit(peaks);
  if (!(top > 0)) return;
  const count = peaks.length;
  const xs = Float32Array.from(peaks, (_, column) => column);
  const upper = Float32Array.from(peaks, (loss) => base - (base - TOP) * Math.min(1, Math.max(0, loss / top)));
  pen.band(xs, new Float32Array(count).fill(base), upper, count, { color: palette.ink, opacity: 0.1 });
  if (count > 700) pen.text("loss", scale.x(0) + 4, TOP + 2, { color: palette.ink3 });
}

/** The largest loss per pixel column, joined linearly over columns without a capture; NaN before the first and after the last. */
function columnPeaks({ step, loss }: Steps, scale: RulerScale): Float32Array {
  const columns = Math.ceil(scale.x(step[step.length - 1] ?? 0)) + 1;
  const peaks = new Float32Array(columns).fill(NaN);
  let before = -1;
  for (let index = 0; index < step.length; index += 1) {
    if (!Number.isFinite(loss[index])) continue;
    const column = Math.round(scale.x(step[index]));
    peaks[column] = Number.isNaN(peaks[column]) ? loss[index] : Math.max(peaks[column], loss[index]);
    for (let between = before + 1; before >= 0 && between < column; between += 1) {
      const share = (between - before) / (column - before);
      peaks[between] = peaks[before] * (1 - share) + peaks[column] * share;
    }
    before = column;
  }
  return peaks;
}

/** The terrain's summit: the largest loss but for the worst 2 %, so that one divergence doesn't flatten everything else. */
function upperLimit(peaks: Float32Array): number {
  const finite = peaks.filter((loss) => loss > 0).sort();
  return finite[Math.floor((finite.length - 1) * 0.98)] ?? 0;
}

function paintEpochs(pen: Pen, palette: Palette, { step, epoch }: Steps, scale: RulerScale, base: CssPixels): void {
  let before = -Infinity;
  for (let index = 1; index < step.length; index += 1) {
    if (epoch[index] === epoch[index - 1]) continue;
    const x = crisp(scale.x(step[index]));
    // Closer than 4 px they would be a grey wall.
    if (x - before < 4) continue;
    pen.line(x, TOP - 4, x, base, { color: palette.control, width: 1, dash: [1, 2] });
    before = x;
  }
}

/** A tick per capture; where several share 2 px, one tick stands for them, the darker the more they are. */
function paintTicks(
  pen: Pen,
  palette: Palette,
  { step }: Steps,
  scale: RulerScale,
  base: CssPixels,
  width: CssPixels,
): void {
  const major = roundStep(0, Math.max(1, step[step.length - 1] ?? 0), width / LABEL_SPACING);
  let drawn = -Infinity;
  for (const at of step) {
    const x = crisp(scale.x(at));
    if (x - drawn < 2) continue;
    const long = at % major === 0;
    pen.line(x, base - (long ? 9 : 6), x, base, { color: long ? palette.ink2 : palette.ink3, width: 1 });
    drawn = x;
  }
  pen.line(LEFT, base + 0.5, width - RIGHT, base + 0.5, { color: palette.control, width: 1 });
}

function paintDropped(pen: Pen, palette: Palette, { step, dropped }: Steps, scale: RulerScale, base: CssPixels): void {
  for (const { start, stop } of gapsOf(step, dropped)) {
    const x = scale.x(start) + 1;
    const box = { x, y: TOP, width: Math.max(3, scale.x(stop) - x - 1), height: base - TOP };
    pen.hatch(box, palette.gapHatch);
  }
}

function paintLabels(
  pen: Pen,
  palette: Palette,
  { steps, step }: RulerModel,
  scale: RulerScale,
  base: CssPixels,
  width: CssPixels,
): void {
  const here = scale.x(step);
  const half = pen.textWidth(formatCount(step), { bold: true }) / 2;
  const clamped = Math.min(Math.max(here, half), width - half);
  for (const at of ticks(makeScale("linear", 0, Math.max(1, lastStep(steps))), width / LABEL_SPACING)) {
    const label = formatCount(at);
    const room = half + pen.textWidth(label) / 2 + 8;
    if (Math.abs(scale.x(at) - clamped) < room || scale.x(at) + room > width + 8) continue;
    pen.text(label, scale.x(at), base + 10, { color: palette.ink3, align: "center" });
  }
  pen.text(formatCount(step), clamped, base + 10, { color: palette.hereInk, align: "center", bold: true });
}

/** As in the list, a little smaller. */
function paintMark(pen: Pen, palette: Palette, severity: Severity, x: CssPixels): void {
  const color = palette.severity[severity];
  const corners = severityCorners(severity, x, MARK_Y, MARK_SCALE);
  pen.polygon(corners, { color: severity === "warning" ? palette.warningFill : color }, { color, width: 1.2 });
}

/** A handle in orange within its outline, and a hairline. */
function paintHere(pen: Pen, palette: Palette, x: CssPixels, base: CssPixels): void {
  const line = { color: palette.hereLine, width: 1 };
  pen.line(crisp(x), 3, crisp(x), base + 1, line);
  const middle = Math.round(x) + 0.5;
  const shape = [middle - 6, 4.5, middle + 6, 4.5, middle + 6, 13, middle, 20, middle - 6, 13];
  pen.polygon(shape, { color: palette.here }, line);
}
