/**
 * The second side of a comparison as a matrix: one statistic of all nodes minus that of another step, or of another run at the same step.
 *
 * The one invariant: nodes are matched by name and columns by step; where either side has nothing, the difference has nothing. Of columns of several
 * captures the difference is an interval that holds that of any two of them, so opposite extremes can't cancel.
 */

import { fetchMatrix } from "../api";
import { nearestColumn, type StepRange } from "../charts/timeline";
import { SPARKLINE_WIDTH } from "../nodes/history";
import { resource } from "../resource";
import {
  compareGraph,
  compareIndexByName,
  comparedStep,
  compareRun,
  compareSnapshot,
  compareStep,
  compareSteps,
  graph,
  nodes,
  quantity,
  statistic,
  versionOf,
} from "../state";
import { columnOf } from "../statistics";
import type { Matrix, Quantity } from "../types";
import type { NodeIndex, Step } from "../units";
import { stepsToAsk } from "./columns";

/** What is subtracted at a node (of the chosen run) and the steps of a column. */
export type Reference = (node: NodeIndex, start: Step, stop: Step) => { readonly low: number; readonly high: number };

const NONE = { low: NaN, high: NaN };

/** The same number at all steps. */
export function constantReference(values: ArrayLike<number>, indexOf: (node: NodeIndex) => NodeIndex): Reference {
  return (node) => {
    const value = values[indexOf(node)] ?? NaN;
    return { low: value, high: value };
  };
}

/** The smallest and the largest of the columns of `matrix` that share steps with those asked for, or of the nearest one. */
export function matrixReference(matrix: Matrix, indexOf: (node: NodeIndex) => NodeIndex): Reference {
  return (node, start, stop) => {
    const other = indexOf(node);
    const column = nearestColumn(matrix, start);
    if (other < 0 || other >= matrix.nodes || column < 0) return NONE;
    let { low, high } = NONE;
    for (let at = column; at === column || matrix.start[at] <= stop; at += 1) {
      const cell = other * matrix.columns + at;
      if (!(low <= matrix.low[cell])) low = matrix.low[cell];
      if (!(high >= matrix.high[cell])) high = matrix.high[cell];
    }
    return { low, high };
  };
}

/** `matrix` minus the reference. */
export function subtract(matrix: Matrix, reference: Reference): Matrix {
  const low = new Float32Array(matrix.low.length);
  const high = new Float32Array(matrix.high.length);
  for (let node = 0; node < matrix.nodes; node += 1) {
    for (let column = 0; column < matrix.columns; column += 1) {
      const at = node * matrix.columns + column;
      const theirs = reference(node, matrix.start[column], matrix.stop[column]);
      low[at] = matrix.low[at] - theirs.high;
      high[at] = matrix.high[at] - theirs.low;
    }
  }
  return { ...matrix, low, high };
}

/** What a matrix is asked for by. */
export interface SeriesKey {
  readonly run: string;
  readonly version: string;
  readonly quantity: Quantity;
  readonly statistic: string;
  readonly columns: number;
  readonly first_step?: Step;
  readonly last_step?: Step;
}

export const NO_STEPS = new Float64Array();

export const SAME_SERIES = {
  retain: (a: SeriesKey, b: SeriesKey): boolean =>
    a.run === b.run && a.quantity === b.quantity && a.statistic === b.statistic,
};

export function compareKey(columns: number, zoom: StepRange | null = null): SeriesKey | null {
  const name = compareRun.value;
  // Beside another run at a fixed step a snapshot is enough.
  if (name === null || compareStep.value !== null) return null;
  const range = stepsToAsk(compareSteps.value.data?.step ?? NO_STEPS, zoom);
  return {
    run: name,
    version: versionOf(name),
    quantity: quantity.value,
    statistic: statistic.value,
    columns,
    ...range,
  };
}

/** The other run over its steps, as coarse as a sparkline: enough for the domain of the colours. */
export const compareHistory = resource(() => compareKey(SPARKLINE_WIDTH), loadMatrix, SAME_SERIES);

export function loadMatrix({ version: v, ...query }: SeriesKey, abort: AbortSignal): Promise<Matrix> {
  return fetchMatrix({ ...query, v }, abort);
}

/** Is something compared now? */
export const isCompared = (): boolean => comparedStep.value !== null;

/** What is subtracted now; null when nothing is compared or it hasn't arrived. `other` is the other run's matrix, when one is wanted. */
export function currentReference(other: Matrix | null): Reference | null {
  const names = compareIndexByName.value;
  const all = nodes.value;
  const indexOf =
    compareRun.value === null ? (node: NodeIndex) => node : (node: NodeIndex) => names.get(all[node]?.name ?? "") ?? -1;
  if (compareRun.value !== null && compareStep.value === null)
    return other === null ? null : matrixReference(other, indexOf);
  // Each run names its columns itself.
  const [known, taken] = [(compareRun.value === null ? graph : compareGraph).value.data, compareSnapshot.value.data];
  if (known === null || taken === null || comparedStep.value === null) return null;
  return constantReference(columnOf(known, taken, statistic.value), indexOf);
}
