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
import { formatCount, formatNumber } from "../format";
import { bySeverity } from "../nodes/filter";
import { nearestCapture } from "../state";
import type { Finding, Steps } from "../types";
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
/** Room for a mark and a count of two digits. */
const MARK_SPACING: CssPixels = 26;

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

/** Findings whose marks would lie on each other share one, at the first of them. */
interface Mark {
  readonly x: CssPixels;
  readonly findings: Finding[];
}

function marksOf({ steps, findings }: RulerModel, width: CssPixels): readonly Mark[] {
  const scale = rulerScale(lastStep(steps), width);
  const marks: Mark[] = [];
  for (const finding of findings) {
    const x = scale.x(finding.first_step);
    const before = marks.at(-1);
    if (before !== undefined && x - before.x < MARK_SPACING) before.findings.push(finding);
    else marks.push({ x, findings: [finding] });
  }
  return marks;
}

/** The findings whose mark is under the pointer, in the order of their steps. */
export function findingsAt(model: RulerModel, x: CssPixels, y: CssPixels, width: CssPixels): readonly Finding[] {
  const near = (mark: Mark): boolean => Math.abs(mark.x - x) <= MARK_RADIUS + 1;
  return (y > TOP ? undefined : marksOf(model, width).findLast(near))?.findings ?? [];
}

/** What changes with the run only. */
export function paintRuler(pen: Pen, { width, height }: Area, palette: Palette, model: RulerModel): void {
  const { steps } = model;
  const scale = rulerScale(lastStep(steps), width);
  const base = height - BOTTOM;
  paintLoss(pen, palette, steps, scale, base);
  paintEpochs(pen, palette, steps, scale, base);
  paintTicks(pen, palette, steps, scale, base, width);
  paintDropped(pen, palette, steps, scale, base);
  for (const mark of marksOf(model, width)) paintMark(pen, palette, mark);
}

/** What follows the current step: where we are, what we compare with, and the labels, which make room for it. */
export function paintPlace(pen: Pen, { width, height }: Area, palette: Palette, model: RulerModel): void {
  const scale = rulerScale(lastStep(model.steps), width);
  const base = height - BOTTOM;
  paintLabels(pen, palette, model, scale, base, width);
  const { step, loss } = model.steps;
  const now = loss[nearestCapture(step, model.step)];
  if (width > 700 && loss.some(Number.isFinite))
    pen.text(`loss ${formatNumber(now)}`, scale.x(0) + 10, TOP + 8, { color: palette.ink3 });
  if (model.compareStep !== null) {
    const x = crisp(scale.x(model.compareStep));
    pen.line(x, 3, x, base, { color: palette.compare, width: 1, dash: [4, 3] });
  }
  paintHere(pen, palette, scale.x(model.step), base);
}

/** The loss as a faint area, high at first; every capture is a corner of it, so no spike is lost. */
function paintLoss(pen: Pen, palette: Palette, steps: Steps, scale: RulerScale, base: CssPixels): void {
  const finite = steps.loss.map((_, index) => index).filter((index) => Number.isFinite(steps.loss[index]));
  const top = upperLimit(steps.loss);
  if (!(top > 0)) return;
  const xs = Float32Array.from(finite, (index) => scale.x(steps.step[index]));
  const share = (index: number): number => Math.min(1, Math.max(0, steps.loss[index] / top));
  const upper = Float32Array.from(finite, (index) => base - (base - TOP) * share(index));
  pen.band(xs, new Float32Array(xs.length).fill(base), upper, xs.length, { color: palette.ink, opacity: 0.1 });
}

/** The terrain's summit: the largest loss but for the worst 2 %, so that one divergence doesn't flatten everything else. */
function upperLimit(losses: Float32Array): number {
  const finite = losses.filter((loss) => loss > 0 && loss < Infinity).sort();
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
  const places = ticks(makeScale("linear", 0, Math.max(1, lastStep(steps))), width / LABEL_SPACING);
  for (const at of places.filter(Number.isInteger)) {
    const label = formatCount(at);
    const room = half + pen.textWidth(label) / 2 + 8;
    if (Math.abs(scale.x(at) - clamped) < room || scale.x(at) + room > width + 8) continue;
    pen.text(label, scale.x(at), base + 10, { color: palette.ink3, align: "center" });
  }
  pen.text(formatCount(step), clamped, base + 10, { color: palette.hereInk, align: "center", bold: true });
}

/** As in the list, a little smaller; of several findings the worst, and how many there are. */
function paintMark(pen: Pen, palette: Palette, { x, findings }: Mark): void {
  const { severity } = [...findings].sort(bySeverity)[0];
  const color = palette.severity[severity];
  const corners = severityCorners(severity, x, MARK_Y, MARK_SCALE);
  pen.polygon(corners, { color: severity === "warning" ? palette.warningFill : color }, { color, width: 1.2 });
  if (findings.length > 1) pen.text(String(findings.length), x + MARK_RADIUS + 2, MARK_Y, { color: palette.ink2 });
}

/** A handle in orange within its outline, below the marks of findings, and a hairline. */
function paintHere(pen: Pen, palette: Palette, x: CssPixels, base: CssPixels): void {
  const line = { color: palette.hereLine, width: 1 };
  pen.line(crisp(x), 3, crisp(x), base + 1, line);
  const middle = Math.round(x) + 0.5;
  const shape = [middle - 6, 15.5, middle + 6, 15.5, middle + 6, 24, middle, 31, middle - 6, 24];
  pen.polygon(shape, { color: palette.here }, line);
}
