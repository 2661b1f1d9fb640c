/*
 * The history of all nodes for the sparklines: one statistic, one request for all rows, in as many columns as a sparkline has pixels.
 *
 * The one invariant: while a run is live, the history is asked for again at most a tenth of the time that an answer takes to come, so that
 * 10,000 rows don't keep the server busy. What is on screen stays until the new one is there.
 */

import { computed, effect, signal } from "@preact/signals";
import { fetchMatrix } from "../api";
import { resource } from "../resource";
import { graph, nodes, quantity, run, statistic, steps, version, versionOf } from "../state";
import type { Matrix, Quantity, Steps } from "../types";
import type { CssPixels, Milliseconds, NodeIndex } from "../units";

/** Pixels of a sparkline, and columns asked for. */
export const SPARKLINE_WIDTH: CssPixels = 96;

const LEAST_WAIT: Milliseconds = 2000;
/** Time between two requests, in multiples of the time the last one took. */
const PATIENCE = 10;

interface HistoryKey {
  readonly run: string;
  readonly version: string;
  readonly quantity: Quantity;
  readonly statistic: string;
}

/** The version of the run whose history is wanted: follows `version`, but not faster than the server can answer. */
const wantedVersion = signal("");
let duration: Milliseconds = 0;
let askedAt: Milliseconds = -Infinity;
let askedRun: string | null = null;

effect(() => {
  const [name, newest] = [run.value, version.value];
  const wait = Math.max(LEAST_WAIT, PATIENCE * duration) - (performance.now() - askedAt);
  if (name !== askedRun || wait <= 0) {
    askedRun = name;
    wantedVersion.value = newest;
    return;
  }
  const timer = setTimeout(() => (wantedVersion.value = newest), wait);
  return () => clearTimeout(timer);
});

export const history = resource<HistoryKey, Awaited<ReturnType<typeof fetchMatrix>>>(
  () => {
    // What stands beside the rows comes after them: the server makes one answer at a time.
    if (run.value === null || wantedVersion.value === "" || graph.value.data === null) return null;
    return { run: run.value, version: wantedVersion.value, quantity: quantity.value, statistic: statistic.value };
  },
  async (key, abort) => {
    askedAt = performance.now();
    const query = { run: key.run, quantity: key.quantity, statistic: key.statistic };
    const matrix = await fetchMatrix({ ...query, columns: SPARKLINE_WIDTH, v: versionOf(key.run) }, abort);
    duration = performance.now() - askedAt;
    return matrix;
  },
  {
    retain: (a, b) => a.run === b.run && a.quantity === b.quantity && a.statistic === b.statistic,
  },
);

/** The node whose numbers `steps` has: the first loss. −1: none. */
export const lossIndex = computed<NodeIndex>(() => nodes.value.findIndex(({ kind }) => kind === "loss"));

export const lossHistory = computed(() => {
  const [{ data: matrix }, { data: recorded }] = [history.value, steps.value];
  return matrix === null || recorded === null ? null : historyOfLoss(matrix, recorded, lossIndex.value);
});

/** A scalar has no spread, and its history of one would be empty: its value instead, in the columns of `matrix`, of which it is row `node`. */
export function historyOfLoss(matrix: Matrix, { step, loss }: Steps, node: NodeIndex): Matrix {
  const { columns, nonfinite, start, stop } = matrix;
  const [low, high] = [new Float32Array(columns).fill(NaN), new Float32Array(columns).fill(NaN)];
  let column = 0;
  loss.forEach((number, index) => {
    while (column < columns - 1 && step[index] > stop[column]) column += 1;
    if (!Number.isFinite(number) || step[index] > stop[column]) return;
    if (!(number >= low[column])) low[column] = number;
    if (!(number <= high[column])) high[column] = number;
  });
  const marks = nonfinite.subarray(node * columns, (node + 1) * columns);
  return { nodes: 1, columns, low, high, nonfinite: marks, start, stop };
}
