/*
 * The strip of statistics at the current step.
 *
 * The one invariant: every number is that of the step in the step ruler, or a dash; a number of another step is always in a second line that
 * names it.
 */

import type { JSX } from "preact";
import { firstRow, type History, isScalar, NON_FINITE, nonFiniteAt, rowAt } from "../charts/history";
import { formatCount, formatDifference, MISSING } from "../format";
import { comparedStep, compareRun, findings, run, step, nearestCapture } from "../state";
import { formatStatistic, labelOf } from "../statistics";
import type { Quantity } from "../types";
import type { Step } from "../units";

export interface StripItem {
  readonly name: string;
  readonly label: string;
  readonly text: string;
  readonly bad: boolean;
  /** The same statistic elsewhere, with the words for where: `was 47.0 % at 0`. */
  readonly beside: string;
}

/** Shown always; other columns of the run follow where they have a number. */
const ALWAYS = ["mean", "std", "min", "max", "l2_norm", "zero_fraction"];

/** A statistic that changed less than this since the first capture needs no second number. */
const NOTABLE_SHARE = 0.1;
const NOTABLE_FACTOR = 10;

/** The items at `row` of `history` (−1: nothing recorded), beside those of `other` when two runs or steps are compared. */
export function stripItems(
  history: History,
  row: number,
  bad: ReadonlySet<string>,
  other?: { readonly history: History; readonly row: number },
): StripItem[] {
  const first = firstRow(history);
  // The others speak up where they have something to say: a share of 0 and a number that is not defined don't.
  const others = [...history.columns.keys()].filter(
    (name) => !ALWAYS.includes(name) && Math.abs(history.columns.get(name)?.[row] ?? 0) > 0,
  );
  const scalar = isScalar(history);
  const ordered = scalar ? ["mean"] : [...ALWAYS.filter((name) => history.columns.has(name)), ...others];
  const items = ordered.map((name): StripItem => {
    const column = history.columns.get(name) ?? [];
    const value = column[row] ?? NaN;
    const text = history.elements[row] > 0 ? formatStatistic(name, value) : MISSING;
    const beside =
      other === undefined
        ? was(name, value, first === row ? NaN : (column[first] ?? NaN), history.steps[first])
        : differenceWords(name, value, other.history.columns.get(name)?.[other.row] ?? NaN);
    return { name, label: scalar ? "value" : labelOf(name), text, bad: bad.has(name), beside };
  });
  return [...items, ...countItems(history, row)];
}

function countItems(history: History, row: number): StripItem[] {
  const counts = NON_FINITE.map(([label, key]): StripItem => {
    const count = history[key][row];
    return { name: label, label, text: formatCount(count), bad: count > 0, beside: "" };
  });
  const some = counts.filter(({ bad }) => bad);
  const text = formatCount(history.elements[row]);
  // Three zeros say no more than one.
  const shown = some.length > 0 ? some : [{ ...counts[0], label: "NaN, ±Inf" }];
  return [...shown, { name: "elements", label: "elements", text, bad: false, beside: "" }];
}

function was(name: string, value: number, before: number, at: Step): string {
  if (Number.isNaN(value) || Number.isNaN(before)) return "";
  const notable = name.endsWith("_fraction")
    ? Math.abs(value - before) >= NOTABLE_SHARE
    : factor(value, before) >= NOTABLE_FACTOR && name !== "mean";
  return notable ? `was ${formatStatistic(name, before)} at ${formatCount(at)}` : "";
}

function factor(a: number, b: number): number {
  const [large, small] = [Math.max(Math.abs(a), Math.abs(b)), Math.min(Math.abs(a), Math.abs(b))];
  return large === 0 ? 1 : large / small;
}

function differenceWords(name: string, value: number, other: number): string {
  if (Number.isNaN(value) || Number.isNaN(other)) return "";
  const change = value - other;
  // A share changes by points: "+3 %" could be read as a ratio.
  return name.endsWith("_fraction") && change !== 0
    ? `${formatDifference(100 * change)} points`
    : formatDifference(change);
}

export function Strip({
  history,
  quantity,
  node,
  other,
  named,
}: {
  readonly history: History;
  readonly quantity: Quantity;
  readonly node: string;
  readonly other?: { readonly history: History };
  /** Names quantity and step: when nothing else of the panel is in sight. */
  readonly named: boolean;
}): JSX.Element {
  const at = step.value;
  const row = at === null ? -1 : rowAt(history, at);
  const compared = comparedStep.value;
  const pair =
    other === undefined || compared === null
      ? undefined
      : { history: other.history, row: nearestCapture(other.history.steps, compared) };
  const bad = badStatistics(node, quantity, at);
  const finite = row < 0 ? 0 : nonFiniteAt(history, row);
  return (
    <dl class="strip" tabIndex={0} aria-label={`Statistics at step ${formatCount(at)}`}>
      {named && at !== null && (
        <div>
          <dt>step {formatCount(at)}</dt>
          <dd>
            <i class={`quantity-dash ${quantity}`} />
            {quantity}
          </dd>
        </div>
      )}
      {pair !== undefined && compared !== null && (
        <div class="strip-compared">
          <dt>difference to</dt>
          <dd>
            <small>{compareRun.value ?? run.value}</small>
            <span class="strip-beside">step {formatCount(compared)}</span>
          </dd>
        </div>
      )}
      {stripItems(history, row, bad, pair).map((item) => (
        <div key={item.name}>
          <dt>{item.label}</dt>
          <dd class={item.bad ? "bad" : ""}>
            {item.text}
            {item.beside !== "" && <span class="strip-beside">{item.beside}</span>}
          </dd>
        </div>
      ))}
      {finite > 0 && (
        <div class="strip-note">
          <dt class="sr">Statistics</dt>
          <dd>
            <span class="strip-beside">over the {formatCount(history.elements[row] - finite)} finite elements</span>
          </dd>
        </div>
      )}
    </dl>
  );
}

/** Statistics that a finding of this node is about, at this step. */
function badStatistics(node: string, quantity: Quantity, at: Step | null): ReadonlySet<string> {
  const found = findings.value.data?.findings ?? [];
  return new Set(
    found
      .filter((finding) => finding.node === node && finding.quantity === quantity && finding.severity !== "note")
      .filter((finding) => at !== null && finding.first_step <= at && (finding.last_step ?? Infinity) >= at)
      .map((finding) => finding.statistic),
  );
}
