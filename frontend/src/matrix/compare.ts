/**
 * The second side of a comparison as a matrix: one statistic of all nodes minus that of another step, or of another run at the same step.
 *
 * The one invariant: nodes are matched by name and columns by step; where either side has nothing, the difference has nothing.
 */

import { fetchMatrix } from "../api";
import { SPARKLINE_WIDTH } from "../nodes/history";
import { resource } from "../resource";
import {
  compareIndexByName,
  comparedStep,
  compareRun,
  compareSnapshot,
  compareStep,
  graph,
  nodes,
  quantity,
  statistic,
  versionOf,
} from "../state";
import { columnOf } from "../statistics";
import type { Matrix, Quantity } from "../types";
import type { NodeIndex, Step } from "../units";
import { nearestColumn } from "./columns";

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

/** The column of `matrix` that is nearest to the middle of the steps asked for. */
export function matrixReference(matrix: Matrix, indexOf: (node: NodeIndex) => NodeIndex): Reference {
  return (node, start, stop) => {
    const other = indexOf(node);
    const column = nearestColumn(matrix, (start + stop) / 2);
    if (other < 0 || other >= matrix.nodes || column < 0) return NONE;
    const at = other * matrix.columns + column;
    return { low: matrix.low[at], high: matrix.high[at] };
  };
}

/** `matrix` minus the reference. Of columns of several captures, the ends are compared with the ends. */
export function subtract(matrix: Matrix, reference: Reference): Matrix {
  const low = new Float32Array(matrix.low.length);
  const high = new Float32Array(matrix.high.length);
  for (let node = 0; node < matrix.nodes; node += 1) {
    for (let column = 0; column < matrix.columns; column += 1) {
      const at = node * matrix.columns + column;
      const theirs = reference(node, matrix.start[column], matrix.stop[column]);
      const [a, b] = [matrix.low[at] - theirs.low, matrix.high[at] - theirs.high];
      low[at] = Math.min(a, b);
      high[at] = Math.max(a, b);
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
}

export function compareKey(columns: number): SeriesKey | null {
  const name = compareRun.value;
  // Beside another run at a fixed step a snapshot is enough.
  if (name === null || compareStep.value !== null) return null;
  return { run: name, version: versionOf(name), quantity: quantity.value, statistic: statistic.value, columns };
}

/** The other run over its steps, as coarse as a sparkline: enough for the domain of the colours. */
export const compareHistory = resource(() => compareKey(SPARKLINE_WIDTH), loadMatrix, {
  retain: (a, b) => a.run === b.run && a.quantity === b.quantity && a.statistic === b.statistic,
});

export function loadMatrix(key: SeriesKey, abort: AbortSignal): Promise<Matrix> {
  const { run, quantity: of, statistic: name, columns } = key;
  return fetchMatrix({ run, quantity: of, statistic: name, columns, v: versionOf(run) }, abort);
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
  const [known, taken] = [graph.value.data, compareSnapshot.value.data];
  if (known === null || taken === null || comparedStep.value === null) return null;
  return constantReference(columnOf(known, taken, statistic.value), indexOf);
}
