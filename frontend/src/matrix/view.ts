/** Which rows the matrix shows now, and where pointer and keyboard are in it. */

import { computed, signal } from "@preact/signals";
import { hoverStep } from "../charts/shared";
import { findingsByNode, matches } from "../nodes/filter";
import { rows as listRows, sort } from "../nodes/model";
import { buildTree } from "../nodes/tree";
import { nodes, quantity } from "../state";
import type { NodeIndex } from "../units";
import type { CellPlace } from "./geometry";
import { rowChoice } from "./options";
import { chooseRows, preorder } from "./rows";

const tree = computed(() => preorder(buildTree(nodes.value)));

/** Nodes in the order of the list. */
export const matrixRows = computed<readonly NodeIndex[]>(() => {
  const passes = matches.value;
  const order =
    sort.value === null
      ? tree.value.filter((index) => passes === null || passes(index))
      : listRows.value.flatMap((row) => (row.item.index >= 0 ? [row.item.index] : []));
  return chooseRows(order, nodes.value, rowChoice.value, quantity.value, (name) => findingsByNode.value.has(name));
});

/** Under the pointer. */
export const hovered = signal<CellPlace | null>(null);
/** Where the keyboard is. */
export const cursor = signal<CellPlace | null>(null);

export function setHovered(place: CellPlace | null): void {
  hovered.value = place;
  hoverStep.value = place?.step ?? null;
}
