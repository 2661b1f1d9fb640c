/*
 * The rows of the node list: a tree by scope, or a flat list when sorted by a number. Pure functions over `Graph.nodes`.
 *
 * The one invariant: every node that passes the filter is exactly one row (or below a closed row), and the order of rows depends only on the
 * arguments, never on what was open before. A path that no node has, such as `encoder` in `encoder/conv2d`, is a scope.
 */

import type { GraphNode } from "../types";
import type { NodeIndex } from "../units";

/** A place in the tree. */
export interface TreeItem {
  /** Full path; unique. */
  readonly path: string;
  /** Last part of the path. */
  readonly label: string;
  readonly depth: number;
  /** Index of the node; −1 for a scope. */
  readonly index: NodeIndex;
  readonly children: readonly TreeItem[];
  /** Nodes below this item, itself not counted. */
  readonly below: number;
}

/** A visible row. */
export interface Row {
  readonly item: TreeItem;
  readonly open: boolean;
  /** Shown only because something below it matches. */
  readonly context: boolean;
}

interface Growing {
  path: string;
  label: string;
  depth: number;
  index: NodeIndex;
  children: Growing[];
  below: number;
}

/** The tree of all nodes, in the order in which their paths first appear. */
export function buildTree(nodes: readonly GraphNode[]): readonly TreeItem[] {
  const items = new Map<string, Growing>();
  const roots: Growing[] = [];
  const itemAt = (parts: readonly string[]): Growing => {
    const path = parts.join("/");
    const known = items.get(path);
    if (known !== undefined) return known;
    const item: Growing = {
      path,
      label: parts[parts.length - 1],
      depth: parts.length - 1,
      index: -1,
      children: [],
      below: 0,
    };
    items.set(path, item);
    (parts.length === 1 ? roots : itemAt(parts.slice(0, -1)).children).push(item);
    return item;
  };
  nodes.forEach((node, index) => {
    itemAt(node.name.split("/")).index = index;
  });
  roots.forEach(countBelow);
  return roots;
}

function countBelow(item: Growing): number {
  item.below = item.children.reduce((sum, child) => sum + countBelow(child), 0);
  return item.below + (item.index >= 0 ? 1 : 0);
}

/** Scopes start open; a node with something below it (a layer with its variables) starts closed. `toggled` turns that round. */
export function isOpen(item: TreeItem, toggled: ReadonlySet<string>): boolean {
  return item.children.length > 0 && item.index < 0 !== toggled.has(item.path);
}

/** The visible rows of the tree. Without `matches` all nodes pass; with it, what leads to a match is open. */
export function treeRows(
  roots: readonly TreeItem[],
  toggled: ReadonlySet<string>,
  matches: ((index: NodeIndex) => boolean) | null,
): readonly Row[] {
  const rows: Row[] = [];
  const add = (item: TreeItem): void => {
    const open = isOpen(item, toggled);
    rows.push({ item, open, context: false });
    if (open) item.children.forEach(add);
  };
  if (matches === null) roots.forEach(add);
  else roots.forEach((root) => addMatching(root, matches, rows));
  return rows;
}

/** Adds `item` when it or something below it matches; says whether it did. */
function addMatching(item: TreeItem, matches: (index: NodeIndex) => boolean, rows: Row[]): boolean {
  const at = rows.length;
  const self = item.index >= 0 && matches(item.index);
  rows.push({ item, open: false, context: !self });
  let inside = false;
  for (const child of item.children) inside = addMatching(child, matches, rows) || inside;
  if (!self && !inside) rows.length = at;
  else rows[at] = { item, open: inside, context: !self };
  return self || inside;
}

/** All matching nodes as a flat list, the largest number first (or last). Nodes without a number come last, in execution order. */
export function sortedRows(
  nodes: readonly GraphNode[],
  order: Float64Array,
  descending: boolean,
  matches: ((index: NodeIndex) => boolean) | null,
): readonly Row[] {
  const indices = nodes.map((_, index) => index).filter((index) => matches === null || matches(index));
  const sign = descending ? -1 : 1;
  indices.sort((a, b) => {
    const missing = Number(Number.isNaN(order[a])) - Number(Number.isNaN(order[b]));
    return missing !== 0 || Number.isNaN(order[a]) ? missing || a - b : sign * (order[a] - order[b]) || a - b;
  });
  return indices.map((index) => ({ item: flatItem(nodes[index].name, index), open: false, context: false }));
}

function flatItem(name: string, index: NodeIndex): TreeItem {
  return { path: name, label: name, depth: 0, index, children: [], below: 0 };
}

/** Paths above `path`, the outermost first. */
export function ancestorsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, count) => parts.slice(0, count + 1).join("/"));
}

/** `toggled`, changed so that everything above `path` is open. The same set when nothing has to change. */
export function opened(
  path: string,
  toggled: ReadonlySet<string>,
  isNode: (path: string) => boolean,
): ReadonlySet<string> {
  const closed = ancestorsOf(path).filter((above) => isNode(above) !== toggled.has(above));
  if (closed.length === 0) return toggled;
  const next = new Set(toggled);
  for (const above of closed) {
    if (isNode(above)) next.add(above);
    else next.delete(above);
  }
  return next;
}
