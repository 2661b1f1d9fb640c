/*
 * Places worth going to: findings in the order of their steps, and the first NaN or infinity. The one invariant: a jump ends at a recorded
 * step and at a node of this run, where what was promised can be seen.
 */

import { batch, computed } from "@preact/signals";
import { fetchStatistics } from "../api";
import { history } from "../nodes/history";
import { findings, node, nodes, quantity, run, selectNode, selectStep, setQuantity, step, versionOf } from "../state";
import type { Finding, Matrix, Statistics } from "../types";
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

/** A column may stand for many captures, and a jump asks for the exact one of at most this many nodes. */
const CANDIDATES = 16;

/** Goes to the first NaN or infinity of the chosen quantity: the earliest step, and there the first node in execution order. */
export async function goToFirstNonfinite(): Promise<void> {
  const [name, matrix, kind] = [run.peek(), history.peek().data, quantity.peek()];
  if (name === null || matrix === null) return;
  const column = firstBrokenColumn(matrix);
  if (column < 0) return;
  const candidates = brokenNodes(matrix, column).slice(0, CANDIDATES);
  const abort = new AbortController().signal;
  const found = await Promise.all(
    candidates.map(async (index) => {
      const query = { run: name, node: nodes.peek()[index].name, quantity: kind, v: versionOf(name) };
      return { index, step: firstBrokenStep(await fetchStatistics(query, abort)) };
    }),
  );
  // `sort` is stable: of several nodes at the same step the first in execution order stays first.
  const [first] = found.sort((a, b) => a.step - b.step);
  if (first === undefined || !Number.isFinite(first.step) || run.peek() !== name) return;
  batch(() => {
    selectNode(nodes.peek()[first.index].name);
    selectStep(first.step);
  });
}

function brokenNodes({ nonfinite, nodes: count, columns }: Matrix, column: number): readonly NodeIndex[] {
  return Array.from({ length: count }, (_, row) => row).filter((row) => nonfinite[row * columns + column] !== 0);
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
