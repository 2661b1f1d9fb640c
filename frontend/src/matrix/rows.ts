/** Rows of the matrix: the nodes that pass the filters, in the order of the list, whether a scope is closed there or not. */

import { visibleName } from "../format";
import type { TreeItem } from "../nodes/tree";
import type { GraphNode, Quantity } from "../types";
import type { CssPixels, NodeIndex } from "../units";
import type { RowChoice } from "./options";

/** All nodes of a tree, each before what is below it. */
export function preorder(roots: readonly TreeItem[]): NodeIndex[] {
  const found: NodeIndex[] = [];
  const stack = [...roots].reverse();
  while (stack.length > 0) {
    const item = stack.pop() as TreeItem;
    if (item.index >= 0) found.push(item.index);
    for (let child = item.children.length - 1; child >= 0; child -= 1) stack.push(item.children[child]);
  }
  return found;
}

export function chooseRows(
  order: readonly NodeIndex[],
  nodes: readonly GraphNode[],
  choice: RowChoice,
  quantity: Quantity,
  hasFinding: (name: string) => boolean,
): readonly NodeIndex[] {
  switch (choice) {
    case "all":
      return order;
    case "recorded":
      return order.filter((index) => nodes[index].quantities[quantity]?.state === "materialized");
    case "findings":
      return order.filter((index) => hasFinding(nodes[index].name));
  }
}

const SMALLEST_ROW: CssPixels = 18;
const LARGEST_ROW: CssPixels = 40;

/** Few rows share the height, many are scrolled. */
export function rowHeight(count: number, height: CssPixels): CssPixels {
  if (count === 0) return SMALLEST_ROW;
  return Math.min(LARGEST_ROW, Math.max(SMALLEST_ROW, Math.floor(height / count)));
}

/** Height of the rows in sight: all of them, or as many whole ones as there is room for. */
export function rowsHeight(count: number, height: CssPixels): CssPixels {
  const each = rowHeight(count, height);
  return each * Math.max(1, Math.min(count, Math.floor(height / each)));
}

/** `block1/` and `re_lu_1`: the last two parts of a path. */
export function labelParts(name: string): { readonly scope: string; readonly label: string } {
  const cut = name.lastIndexOf("/");
  const before = name.lastIndexOf("/", cut - 1);
  return { scope: name.slice(before + 1, cut + 1), label: visibleName(name.slice(cut + 1)) };
}
