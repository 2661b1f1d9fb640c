/*
 * What the node list shows now: rows, numbers, order and the cursor. The one invariant: a new step changes numbers only. The order is that of the
 * moment in which it was chosen, and the scroll position belongs to the user.
 */

import { computed, effect, signal } from "@preact/signals";
import { linkSignal } from "../host";
import { resource } from "../resource";
import {
  comparedStep,
  compareIndexByName,
  compareRun,
  compareSnapshot,
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
import { columnOf } from "../statistics";
import type { Snapshot } from "../types";
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

linkSignal("sort", sort, {
  encode: (value) => (value === null ? null : `${value.descending ? "-" : ""}${value.by}`),
  decode: (text) => {
    if (text === null) return null;
    return text.startsWith("-") ? { by: text.slice(1), descending: true } : { by: text, descending: false };
  },
});

/** Sorts by `by`, largest first; the second time smallest first; the third time back to the tree. */
export function cycleSort(by: string): void {
  const now = sort.peek();
  if (now?.by !== by) sort.value = { by, descending: true };
  else sort.value = now.descending ? { by, descending: false } : null;
}

// `update_ratio` needs the norm of the value beside that of the update.
const valueSnapshot = resource(
  () => (statistic.value === "update_ratio" ? snapshotKey(run.value, step.value, "value") : null),
  loadSnapshot,
);

function column(of: Snapshot | null, name: string): Float64Array | null {
  const known = graph.value.data;
  return known === null || of === null ? null : columnOf(known, of, name, valueSnapshot.value.data);
}

/** The chosen statistic of every node at the current step. */
export const numbers = computed(() => column(snapshot.value.data, statistic.value));

/** Any statistic of every node at the current step. */
export function numbersOf(name: string): Float64Array | null {
  return name === statistic.value ? numbers.value : column(snapshot.value.data, name);
}

/** The chosen statistic now, less that of what is compared; NaN where one of both is missing. */
export const differences = computed(() => {
  const mine = numbers.value;
  const theirs = comparedStep.value === null ? null : column(compareSnapshot.value.data, statistic.value);
  if (mine === null || theirs === null) return null;
  if (compareRun.value === null) return mine.map((number, index) => number - theirs[index]);
  const names = compareIndexByName.value;
  return mine.map((number, index) => number - (theirs[names.get(nodes.value[index]?.name ?? "") ?? -1] ?? NaN));
});

/** The numbers that order the list, as they were when the order was chosen; null for the tree, or until they have arrived. */
let frozenFor = "";
let frozen: Float64Array | null = null;

const order = computed(() => {
  const chosen = sort.value;
  if (chosen === null) return (frozen = null);
  const wanted = JSON.stringify([chosen.by, run.value, graph.value.data?.graph, quantity.value, compareRun.value]);
  if (frozen !== null && frozenFor === wanted) return frozen;
  const numbersNow = chosen.by === "difference" ? (differences.value?.map(Math.abs) ?? null) : numbersOf(chosen.by);
  if (snapshot.value.pending || numbersNow === null) return frozen;
  frozenFor = wanted;
  return (frozen = numbersNow);
});

const tree = computed(() => buildTree(nodes.value));

/** Items whose state differs from how they start (see `isOpen`). */
export const toggled = signal<ReadonlySet<string>>(new Set());

export const rows = computed<readonly Row[]>(() => {
  if (sort.value !== null && order.value !== null) {
    return sortedRows(nodes.value, order.value, sort.value.descending, matches.value);
  }
  return treeRows(tree.value, toggled.value, matches.value);
});

export const rowByPath = computed(() => new Map(rows.value.map((row, index) => [row.item.path, index])));

/** The row the keyboard is at, by its path. */
export const cursor = signal<string | null>(null);

export function toggle(path: string): void {
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
