/** What the graph shows, derived from the state of the page. Everything here is computed once per change, however many views look. */

import { computed } from "@preact/signals";
import { isCompared } from "../matrix/compare";
import { shading } from "../matrix/coloring";
import { differences, numbers } from "../nodes/model";
import { graph, nodeIndex, nodes, snapshot, statistic } from "../state";
import { isScalarFor, scalarOf } from "../statistics";
import { makeCells, type CellOf } from "./cells";
import { aroundSelected, lowRoom, openScopes, showVariables } from "./options";
import { ancestors, buildScopes, openAtFirst } from "./scopes";
import { buildVisible } from "./visible";

/** Boxes that a view and a low view show well. */
const FEW_BOXES = 36;
const FEW_BOXES_LOW = 9;

export const tree = computed(() => buildScopes(nodes.value, showVariables.value));

/** Paths of the open scopes: what the user opened, else what is open at first and around the selection; in a low view one of both. */
export const openPaths = computed<ReadonlySet<string>>(() => {
  if (openScopes.value !== null) return openScopes.value;
  const [around, low] = [aroundSelected.value, lowRoom.value > 0];
  const known = [...around].some((path) => tree.value.byPath.has(path));
  return low && known ? around : new Set([...openAtFirst(tree.value, low ? FEW_BOXES_LOW : FEW_BOXES), ...around]);
});

export const visibleGraph = computed(() => buildVisible(tree.value, nodes.value, openPaths.value));

/** The cells at the step whose snapshot is there; null before the first one. */
export const cellOf = computed<CellOf | null>(() => {
  const [data, values, colors] = [snapshot.value.data, numbers.value, shading.value];
  const [known, name] = [graph.value.data, statistic.value];
  if (data === null || values === null || colors === null) return null;
  const shown = isCompared() ? differences.value : values;
  if (shown === null) return null;
  return makeCells({
    statistic: name,
    values: shown,
    snapshot: data,
    shading: colors,
    scalar: (node) => (known !== null && isScalarFor(known.nodes[node], name) ? scalarOf(known, data, node) : null),
    compared: isCompared(),
  });
});

/** Opens a closed scope, closes an open one. */
export function toggleScope(path: string): void {
  const paths = new Set(openPaths.peek());
  if (!paths.delete(path)) paths.add(path);
  openScopes.value = paths;
}

/** Opens every scope around the node of this name. */
export function openAround(name: string): void {
  const { byPath, entries } = tree.peek();
  const around = ancestors(tree.peek(), byPath.get(name) ?? 0).map((scope) => entries[scope].path);
  const paths = openPaths.peek();
  if (around.every((path) => paths.has(path))) return;
  if (openScopes.peek() === null) aroundSelected.value = new Set(around);
  else openScopes.value = new Set([...paths, ...around]);
}

/** All scopes, or none. */
export function openAll(open: boolean): void {
  const { entries } = tree.peek();
  openScopes.value = new Set(open ? entries.filter(({ children }) => children.length > 0).map(({ path }) => path) : []);
}

/** Entry that stands for the selected node: its own, or its layer's. 0 without. */
export const selectedEntry = computed(() => {
  const index = nodeIndex.value;
  return index < 0 ? 0 : tree.value.entryOf[index];
});
