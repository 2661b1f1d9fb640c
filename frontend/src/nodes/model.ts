/*
 * What the node list shows now: rows, numbers, order and the cursor. The one invariant: a new step changes numbers only. The order is that of the
 * moment in which it was chosen, and the scroll position belongs to the user.
 */

import { computed, effect, signal } from "@preact/signals";
import { linkSignal } from "../host";
import { resource } from "../resource";
import {
  comparedStep,
  compareGraph,
  compareIndexByName,
  compareRun,
  compareSnapshot,
  compareStep,
  graph,
  loadSnapshot,
  node,
  nodeIndexByName,
  nodes,
  quantity,
  run,
  snapshot,
  snapshotKey,
  statistic,
  step,
} from "../state";
import { columnOf, isScalarFor, scalarOf } from "../statistics";
import type { Graph, Snapshot } from "../types";
import { matches } from "./filter";
import { buildTree, opened, sortedRows, treeRows } from "./tree";
import type { Row } from "./tree";

/** `difference` sorts by the size of the difference to what is compared; anything else is the name of a statistic. */
export interface Sort {
  readonly by: string;
  readonly descending: boolean;
}

/** Null: a tree in execution order. */
export const sort = signal<Sort | null>(null);

/** `-std` is the largest first; nothing is the tree. */
export const encodeSort = (value: Sort | null): string | null => value && `${value.descending ? "-" : ""}${value.by}`;

export function decodeSort(text: string | null): Sort | null {
  return text ? { by: text.replace(/^-/, ""), descending: text.startsWith("-") } : null;
}

linkSignal("sort", sort, { encode: encodeSort, decode: decodeSort });

/** Sorts by `by`, largest first; the second time smallest first; the third time back to the tree. */
export function cycleSort(by: string): void {
  const now = sort.peek();
  if (now?.by !== by) sort.value = { by, descending: true };
  else sort.value = now.descending ? { by, descending: false } : null;
}

/** What differs most comes first where something is compared, unless the user chose another order; without, the tree is back. */
export function orderByDifference(compared: boolean): void {
  const now = sort.peek();
  if (compared) sort.value = now ?? { by: "difference", descending: true };
  else if (now?.by === "difference") sort.value = null;
}

/** One side of a comparison: its list of nodes, and what it needs for any statistic of them. */
interface Side {
  readonly graph: Graph | null;
  readonly snapshot: Snapshot | null;
  /** `update_ratio` needs the norm of the value beside that of the update. */
  readonly values: Snapshot | null;
}

const needsValues = (): boolean => [statistic.value, sort.value?.by].includes("update_ratio");

const valueSnapshot = resource(
  () => (needsValues() ? snapshotKey(run.value, step.value, "value") : null),
  loadSnapshot,
);

const compareValueSnapshot = resource(
  () => (needsValues() ? snapshotKey(compareRun.value ?? run.value, comparedStep.value, "value") : null),
  loadSnapshot,
);

const mine = computed<Side>(() => ({
  graph: graph.value.data,
  snapshot: snapshot.value.data,
  values: valueSnapshot.value.data,
}));

const theirs = computed<Side>(() => ({
  graph: (compareRun.value === null ? graph : compareGraph).value.data,
  snapshot: comparedStep.value === null ? null : compareSnapshot.value.data,
  values: compareValueSnapshot.value.data,
}));

function column({ graph: known, snapshot: taken, values }: Side, name: string): Float64Array | null {
  return known === null || taken === null ? null : columnOf(known, taken, name, values);
}

/** The chosen statistic; of a scalar, which has no spread, its value, as the list shows it. */
function comparable(side: Side): Float64Array | null {
  const { graph: known, snapshot: taken } = side;
  const name = statistic.value;
  return (
    column(side, name)?.map((number, node) =>
      known !== null && taken !== null && isScalarFor(known.nodes[node], name) ? scalarOf(known, taken, node) : number,
    ) ?? null
  );
}

/** The chosen statistic of every node at the current step. */
export const numbers = computed(() => column(mine.value, statistic.value));

/** Any statistic of every node at the current step. */
export function numbersOf(name: string): Float64Array | null {
  return name === statistic.value ? numbers.value : column(mine.value, name);
}

/** The chosen statistic now, less that of what is compared; NaN where one of both is missing. */
export const differences = computed(() => {
  const [ours, others] = [comparable(mine.value), comparable(theirs.value)];
  if (ours === null || others === null) return null;
  const names = compareRun.value === null ? nodeIndexByName.value : compareIndexByName.value;
  return ours.map((number, index) => number - (others[names.get(nodes.value[index]?.name ?? "") ?? -1] ?? NaN));
});

/** Are numbers of the chosen step still on the way, on either side? */
export const stale = computed(
  () => snapshot.value.pending || (comparedStep.value !== null && compareSnapshot.value.pending),
);

/** The numbers that order the list, as they were when the order was chosen; null for the tree, or until they have arrived. */
let frozenFor = "";
let frozen: Float64Array | null = null;

const order = computed(() => {
  const chosen = sort.value;
  const byDifference = chosen?.by === "difference";
  if (chosen === null || (byDifference && comparedStep.value === null)) return (frozen = null);
  const wanted = JSON.stringify([
    chosen.by,
    run.value,
    graph.value.data?.graph,
    quantity.value,
    byDifference && [compareRun.value, compareStep.value, statistic.value],
  ]);
  if (frozen !== null && frozenFor === wanted) return frozen;
  const numbersNow = byDifference ? (differences.value?.map(Math.abs) ?? null) : numbersOf(chosen.by);
  if (stale.value || numbersNow === null) return frozen;
  // A step compared with itself gives no order yet.
  if (byDifference && !numbersNow.some((number) => number > 0)) return frozen;
  frozenFor = wanted;
  return (frozen = numbersNow);
});

const tree = computed(() => buildTree(nodes.value));

/** Items whose state differs from how they start (see `isOpen`). */
export const toggled = signal<ReadonlySet<string>>(new Set());

/** Whether there is an order by numbers, and so no tree: what is to be sorted by may have no numbers here. */
export const sorted = computed(() => order.value !== null);

export const rows = computed<readonly Row[]>(() => {
  if (sorted.value) return sortedRows(nodes.value, order.value!, sort.value!.descending, matches.value);
  return treeRows(tree.value, toggled.value, matches.value);
});

export const rowByPath = computed(() => new Map(rows.value.map((row, index) => [row.item.path, index])));

/** The row the keyboard is at, by its path. */
export const cursor = signal<string | null>(null);

export function toggle(path: string): void {
  if (matches.peek() !== null) return; // what leads to a node that was searched for is open
  const next = new Set(toggled.peek());
  if (!next.delete(path)) next.add(path);
  toggled.value = next;
}

// Whoever selects a node, its row comes into being: everything above it opens.
effect(() => {
  const name = node.value;
  const known = nodeIndexByName.value;
  if (name === null || !known.has(name)) return;
  cursor.value = name;
  toggled.value = opened(name, toggled.peek(), (path) => known.has(path));
});
