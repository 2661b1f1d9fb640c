/*
 * Places worth going to: findings in the order of their steps, and the first NaN or infinity. The one invariant: a jump ends at a recorded
 * step and at a node of this run, where what was promised can be seen.
 */

import { batch, computed } from "@preact/signals";
import { fetchSnapshot, fetchStatistics } from "../api";
import { firstAtLeast } from "../charts/timeline";
import { history } from "../nodes/history";
import {
  findings,
  node,
  nodes,
  quantity,
  run,
  selectNode,
  selectStep,
  setQuantity,
  step,
  steps,
  versionOf,
} from "../state";
import { nonfiniteOf } from "../statistics";
import type { Finding, Matrix, Snapshot, Statistics } from "../types";
import { COUNTS, ELEMENTS, NAN_COUNT, NEG_INF_COUNT, POS_INF_COUNT } from "../types";
import type { NodeIndex, Step } from "../units";

export const findingsByStep = computed<readonly Finding[]>(() =>
  [...(findings.value.data?.findings ?? [])].sort((a, b) => a.first_step - b.first_step),
);

export function goToFinding(finding: Finding): void {
  batch(() => {
    setQuantity(finding.quantity);
    if (finding.node !== "") selectNode(finding.node);
    selectStep(finding.first_step);
  });
}

/** The next (1) or previous (−1) finding in the order of steps, seen from where we are. */
export function nextFinding(direction: 1 | -1): void {
  const all = findingsByStep.peek();
  const here = all.findIndex((each) => each.node === node.peek() && each.first_step === step.peek());
  const at = step.peek() ?? 0;
  const beyond = (each: Finding): boolean => (direction > 0 ? each.first_step > at : each.first_step < at);
  const found = here >= 0 ? all[here + direction] : direction > 0 ? all.find(beyond) : all.findLast(beyond);
  if (found !== undefined) goToFinding(found);
}

/** The column of the history in which something wasn't finite for the first time; −1: never. */
function firstBrokenColumn({ nonfinite, nodes: count, columns }: Matrix): number {
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < count; row += 1) if (nonfinite[row * columns + column] !== 0) return column;
  }
  return -1;
}

/** Does the history of the chosen quantity hold a NaN or an infinity? */
export const anyNonfinite = computed(() => {
  const matrix = history.value.data;
  return matrix !== null && firstBrokenColumn(matrix) >= 0;
});

/** Where something isn't finite. */
export interface Place {
  readonly node: NodeIndex;
  readonly step: Step;
}

/** What the search asks the server for. */
export interface Asks {
  readonly statistics: (node: NodeIndex) => Promise<Statistics>;
  readonly snapshot: (step: Step) => Promise<Snapshot>;
}

/** A node's history is asked for at most this often; what is left of the column is then looked through capture by capture. */
const CANDIDATES = 16;

/** The earliest capture with a NaN or an infinity, and there the first node in execution order; null when there is none. */
export async function firstNonfinite(matrix: Matrix, recorded: Float64Array, asks: Asks): Promise<Place | null> {
  const column = firstBrokenColumn(matrix);
  if (column < 0) return null;
  // What isn't finite spreads in execution order, so the first nodes are likely the earliest.
  const candidates = brokenNodes(matrix, column);
  const places = await Promise.all(
    candidates
      .slice(0, CANDIDATES)
      .map(async (node): Promise<Place> => ({ node, step: firstBrokenStep(await asks.statistics(node)) })),
  );
  // `sort` is stable: of several nodes at the same step the first in execution order stays first.
  const [found] = places.sort((a, b) => a.step - b.step);
  if (candidates.length > CANDIDATES) {
    const until = firstAtLeast(recorded, found.step);
    for (const step of recorded.subarray(firstAtLeast(recorded, matrix.start[column]), until)) {
      const node = firstBrokenNode(await asks.snapshot(step));
      if (node >= 0) return { node, step };
    }
  }
  return Number.isFinite(found.step) ? found : null;
}

/** Goes to the first NaN or infinity of the chosen quantity. */
export async function goToFirstNonfinite(): Promise<void> {
  const [name, matrix, kind, recorded] = [run.peek(), history.peek().data, quantity.peek(), steps.peek().data];
  if (name === null || matrix === null || recorded === null) return;
  const abort = new AbortController().signal;
  const query = { run: name, quantity: kind, v: versionOf(name) };
  const place = await firstNonfinite(matrix, recorded.step, {
    statistics: (node) => fetchStatistics({ ...query, node: nodes.peek()[node].name }, abort),
    snapshot: (step) => fetchSnapshot({ ...query, step }, abort),
  });
  if (place === null || run.peek() !== name) return;
  batch(() => {
    selectNode(nodes.peek()[place.node].name);
    selectStep(place.step);
  });
}

function brokenNodes({ nonfinite, nodes: count, columns }: Matrix, column: number): readonly NodeIndex[] {
  return Array.from({ length: count }, (_, row) => row).filter((row) => nonfinite[row * columns + column] !== 0);
}

/** −1 when all is finite. */
function firstBrokenNode(snapshot: Snapshot): NodeIndex {
  for (let node = 0; node < snapshot.nodes; node += 1) {
    const { nan, inf } = nonfiniteOf(snapshot, node);
    if (nan + inf > 0) return node;
  }
  return -1;
}

/** Infinity when there is none. */
export function firstBrokenStep({ captures, counts, step: recorded }: Statistics): Step {
  for (let capture = 0; capture < captures; capture += 1) {
    const at = capture * COUNTS;
    if (counts[at + ELEMENTS] < 0) continue;
    if (counts[at + NAN_COUNT] + counts[at + POS_INF_COUNT] + counts[at + NEG_INF_COUNT] > 0) return recorded[capture];
  }
  return Infinity;
}
