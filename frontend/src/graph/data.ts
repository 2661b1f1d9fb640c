/** What the graph shows, derived from the state of the page. Everything here is computed once per change, however many views look. */

import { computed } from "@preact/signals";
import { isCompared } from "../matrix/compare";
import { shading } from "../matrix/coloring";
import { differences, numbers } from "../nodes/model";
import { graph, nodeIndex, nodes, run, snapshot, statistic } from "../state";
import { isScalarFor, scalarOf } from "../statistics";
import { makeCells, type CellOf } from "./cells";
import { lowView, openScopes, showVariables } from "./options";
import { ancestors, buildScopes, openAtFirst } from "./scopes";
import { buildVisible } from "./visible";

/** Boxes that a view and a low view show well. */
const FEW_BOXES = 36;
const FEW_BOXES_LOW = 14;

export const tree = computed(() => buildScopes(nodes.value, showVariables.value));

/** Paths of the open scopes: what the user opened in this run, else what is open at first. */
export const openPaths = computed<ReadonlySet<string>>(() => {
  const chosen = openScopes.value;
  return chosen !== null && chosen.run === run.value
    ? chosen.paths
    : openAtFirst(tree.value, lowView.value ? FEW_BOXES_LOW : FEW_BOXES);
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

function setOpen(paths: ReadonlySet<string>): void {
  const name = run.peek();
  if (name !== null) openScopes.value = { run: name, paths };
}

/** Opens a closed scope, closes an open one. */
export function toggleScope(path: string): void {
  const paths = new Set(openPaths.peek());
  if (!paths.delete(path)) paths.add(path);
  setOpen(paths);
}

/** Opens every scope around the node of this name. */
export function openAround(name: string): void {
  const entry = tree.peek().byPath.get(name);
  const paths = openPaths.peek();
  const closed =
    entry === undefined
      ? []
      : ancestors(tree.peek(), entry)
          .map((scope) => tree.peek().entries[scope].path)
          .filter((path) => !paths.has(path));
  if (closed.length > 0) setOpen(new Set([...paths, ...closed]));
}

/** All scopes, or none. */
export function openAll(open: boolean): void {
  const { entries } = tree.peek();
  setOpen(new Set(open ? entries.filter((entry) => entry.children.length > 0).map((entry) => entry.path) : []));
}

/** Entry that stands for the selected node: its own, or its layer's. 0 without. */
export const selectedEntry = computed(() => {
  const index = nodeIndex.value;
  return index < 0 ? 0 : tree.value.entryOf[index];
});
