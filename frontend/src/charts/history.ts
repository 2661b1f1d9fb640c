/*
 * The history of one node and quantity in columns: what `/statistics` answers, ready for charts and for the strip.
 *
 * The one invariant: a column is read by its name, never by its place, and a capture at which nothing was recorded is NaN in every column.
 */

import type { Statistics } from "../types";
import { COUNTS, ELEMENTS, NAN_COUNT, NEG_INF_COUNT, POS_INF_COUNT } from "../types";
import type { CaptureIndex, Step } from "../units";
import { firstAtLeast } from "./timeline";
import { weakly } from "./weakly";

export interface History {
  readonly steps: Float64Array;
  /** Statistics by name, one number per capture. */
  readonly columns: ReadonlyMap<string, Float32Array>;
  readonly elements: Float64Array;
  readonly nan: Float64Array;
  readonly positiveInfinity: Float64Array;
  readonly negativeInfinity: Float64Array;
}

export function historyOf(answer: Statistics, names: readonly string[]): History {
  const count = (column: number): Float64Array =>
    Float64Array.from({ length: answer.captures }, (_, row) => Math.max(0, answer.counts[row * COUNTS + column]));
  const columns = new Map<string, Float32Array>();
  names.slice(0, answer.columns).forEach((name, column) => columns.set(name, columnOf(answer, column)));
  return {
    steps: answer.step,
    columns,
    elements: Float64Array.from({ length: answer.captures }, (_, row) => answer.counts[row * COUNTS + ELEMENTS]),
    nan: count(NAN_COUNT),
    positiveInfinity: count(POS_INF_COUNT),
    negativeInfinity: count(NEG_INF_COUNT),
  };
}

function columnOf(answer: Statistics, column: number): Float32Array {
  const { captures, columns, statistics, counts } = answer;
  const values = new Float32Array(captures);
  for (let row = 0; row < captures; row += 1) {
    values[row] = counts[row * COUNTS + ELEMENTS] < 0 ? NaN : statistics[row * columns + column];
  }
  return values;
}

/** The row recorded exactly at `step`; −1 when there is none. */
export function rowAt(history: History, step: Step): CaptureIndex {
  const row = firstAtLeast(history.steps, step);
  return row < history.steps.length && history.steps[row] === step && history.elements[row] >= 0 ? row : -1;
}

/** Elements of its tensor, the most there were at a capture; −1 where none has it. */
const mostElements = weakly((history: History) => history.elements.reduce((a, b) => Math.max(a, b), -1));

/** Is it of a single number? All that can be said of it is its value, the mean. */
export const isScalar = (history: History): boolean => mostElements(history) === 1;

/** Is it of no number, since one of its extents is 0? */
export const isEmpty = (history: History): boolean => mostElements(history) === 0;

/** The first row at which something was recorded; −1 when there is none. */
export function firstRow(history: History): CaptureIndex {
  return history.elements.findIndex((elements) => elements >= 0);
}

/** What isn't finite: how it is called, and the counts of it. */
export const NON_FINITE = [
  ["NaN", "nan"],
  ["+Inf", "positiveInfinity"],
  ["−Inf", "negativeInfinity"],
] as const;

/** Elements of a capture that are not finite. */
export function nonFiniteAt(history: History, row: CaptureIndex): number {
  return NON_FINITE.reduce((sum, [, key]) => sum + history[key][row], 0);
}

/** Captures with elements that are not finite, in words: `NaN 12`, `NaN 3, +Inf 1`. */
export const nonFiniteMarks = weakly((history: History): readonly { readonly step: Step; readonly text: string }[] =>
  Array.from(history.steps, (step, row) => {
    const some = NON_FINITE.filter(([, key]) => history[key][row] > 0);
    return { step, text: some.map(([label, key]) => `${label} ${history[key][row]}`).join(", ") };
  }).filter(({ text }) => text !== ""),
);
