/**
 * What the matrix shows now: rows, columns, shading, cursor; and the geometry that pointer, keyboard and painter share.
 *
 * The one invariant: a place on the canvas means the same row and column to whoever asks.
 */

import { computed, signal } from "@preact/signals";
import { hoverStep } from "../charts/shared";
import type { StepRange } from "../charts/timeline";
import { findingsByNode, matches } from "../nodes/filter";
import { rows as listRows, sort } from "../nodes/model";
import { buildTree } from "../nodes/tree";
import { nodes, quantity } from "../state";
import type { Matrix } from "../types";
import type { CssPixels, NodeIndex, Step } from "../units";
import { nearestColumn } from "./compare";
import type { ColumnEdges } from "./columns";
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

/** A cell: the row's place in `matrixRows`, and a step within a column. */
export interface CellPlace {
  readonly row: number;
  readonly step: Step;
}

/** Under the pointer. */
export const hovered = signal<CellPlace | null>(null);
/** Where the keyboard is. */
export const cursor = signal<CellPlace | null>(null);

export function setHovered(place: CellPlace | null): void {
  hovered.value = place;
  hoverStep.value = place?.step ?? null;
}

export interface Geometry {
  readonly range: StepRange;
  readonly width: CssPixels;
  readonly height: CssPixels;
  readonly rowHeight: CssPixels;
  readonly scrollTop: CssPixels;
  readonly count: number;
}

export function xOfStep({ range, width }: Geometry, step: Step): CssPixels {
  return ((step - range.first) / (range.last - range.first)) * width;
}

export function stepAtX({ range, width }: Geometry, x: CssPixels): Step {
  return range.first + (x / width) * (range.last - range.first);
}

/** Top of a row on the canvas, which stays while the rows scroll. */
export function yOfRow({ rowHeight, scrollTop }: Geometry, row: number): CssPixels {
  return row * rowHeight - scrollTop;
}

/** The row at a height of the canvas; −1 below the last one. */
export function rowAtY(geometry: Geometry, y: CssPixels): number {
  const row = Math.floor((y + geometry.scrollTop) / geometry.rowHeight);
  return row >= 0 && row < geometry.count ? row : -1;
}

/** The column whose extent holds the step; −1 in a gap. */
export function columnAt(matrix: Matrix, edges: ColumnEdges, step: Step): number {
  const column = nearestColumn(matrix, step);
  return column >= 0 && step >= edges.from[column] && step <= edges.to[column] ? column : -1;
}
