/*
 * The evidence of a finding as a small picture: the statistic it rests on, over all steps, and the stretch in which it was so. The one invariant: the
 * whole history is shown, so that a reader can judge the rule.
 *
 * One question to the server answers for all findings on the same statistic of the same quantity.
 */

import { fetchMatrix } from "../api";
import type { Palette } from "../draw/palette";
import { crisp } from "../draw/pen";
import type { Pen } from "../draw/pen";
import { history, SPARKLINE_WIDTH } from "../nodes/history";
import { paintSparkline } from "../nodes/sparkline";
import type { SparklineModel } from "../nodes/sparkline";
import { resource } from "../resource";
import { compareFindings, findings, sameRun, versionOf, view } from "../state";
import type { Finding, Matrix, Steps } from "../types";
import type { Step } from "../units";
import type { Area } from "../widgets/canvas";

/** The statistic of the matrix that shows what a finding is about. */
export function shownStatistic({ statistic }: Finding): string {
  return statistic.replace(/^(pos|neg)_inf/, "inf");
}

const seriesId = (run: string, finding: Finding): string =>
  JSON.stringify([run, finding.quantity, shownStatistic(finding)]);

/** Kept by the run, the version of its history on screen, and what all findings rest on. */
const series = resource(
  () => {
    const known = history.value.key;
    if (view.value !== "findings" || known === null) return null;
    const wanted = [findings.value, compareFindings.value].flatMap(({ key, data }) =>
      key === null || data === null
        ? []
        : data.findings.filter((each) => each.node !== "").map((each) => seriesId(key.run, each)),
    );
    return { run: known.run, version: known.version, wanted: [...new Set(wanted)].sort() };
  },
  async ({ wanted }, abort) => {
    const load = async (id: string): Promise<[string, Matrix | null]> => {
      const [run, quantity, statistic] = JSON.parse(id) as [string, Finding["quantity"], string];
      const query = { run, quantity, statistic, columns: SPARKLINE_WIDTH, v: versionOf(run) };
      // A rule of the user may name what is no column: then there is no picture, and the words stay.
      return [id, await fetchMatrix(query, abort).catch(() => null)];
    };
    return new Map(await Promise.all(wanted.map(load)));
  },
  { retain: sameRun },
);

/** What a finding of `run` rests on; null until it is known, or when nothing can be drawn. */
export function seriesOf(run: string, finding: Finding): Matrix | null {
  return series.value.data?.get(seriesId(run, finding)) ?? null;
}

/** The loss scale belongs to the step and not to a node. */
export function lossScaleSeries({ step, loss_scale: scale }: Steps): Matrix {
  return {
    nodes: 1,
    columns: step.length,
    low: scale,
    high: scale,
    nonfinite: new Uint8Array(step.length),
    start: step,
    stop: step,
  };
}

export function paintEvidence(
  pen: Pen,
  { width, height }: Area,
  palette: Palette,
  spans: readonly Finding[],
  model: SparklineModel,
): void {
  const { lastStep } = model;
  const x = (at: Step): number => 0.5 + (at / Math.max(1, lastStep)) * (width - 1);
  for (const { severity, first_step: first, last_step: last } of spans) {
    const [from, to, color] = [x(first), x(last ?? lastStep), palette.severity[severity]];
    pen.rect({ x: from - 1, y: 1, width: Math.max(4, to - from), height: height - 2 }, { color, opacity: 0.16 });
    pen.line(crisp(from), 1, crisp(from), height - 1, { color, width: 1, dash: [2, 2] });
  }
  paintSparkline(pen, palette, { left: 0, top: 0, width, height }, model);
}
