/**
 * The tree of scopes of a model, from the paths of its nodes: `encoder/conv2d` is a node in the scope `encoder`.
 *
 * The one invariant: an entry comes after its parent, and children stand in the order in which their first node is executed. A scope may be a node
 * itself (a layer made of layers). Variables belong to their layer and get no entry unless they are asked for; `entryOf` then leads to the layer.
 */

import type { GraphNode } from "../types";
import type { NodeIndex } from "../units";

export interface Entry {
  readonly path: string;
  /** Last part of the path. */
  readonly label: string;
  /** −1 for the root. */
  readonly parent: number;
  readonly children: readonly number[];
  /** The node of this path; −1 for a scope that is none. */
  readonly node: NodeIndex;
  readonly depth: number;
}

export interface ScopeTree {
  /** Entry 0 is the root. */
  readonly entries: readonly Entry[];
  /** Entry of each node: its own, or that of the nearest ancestor that has one; 0 without. */
  readonly entryOf: Int32Array;
  readonly byPath: ReadonlyMap<string, number>;
}

interface Growing extends Omit<Entry, "children" | "node"> {
  readonly children: number[];
  node: NodeIndex;
}

const parentPath = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** Builds the tree of `nodes`, with an entry for each variable when `variables` is set. */
export function buildScopes(nodes: readonly GraphNode[], variables: boolean): ScopeTree {
  const entries: Growing[] = [{ path: "", label: "", parent: -1, children: [], node: -1, depth: 0 }];
  const byPath = new Map<string, number>([["", 0]]);
  const entryAt = (path: string): number => {
    const known = byPath.get(path);
    if (known !== undefined) return known;
    const parent = entryAt(parentPath(path));
    const id = entries.length;
    const label = path.slice(path.lastIndexOf("/") + 1);
    entries.push({ path, label, parent, children: [], node: -1, depth: entries[parent].depth + 1 });
    entries[parent].children.push(id);
    byPath.set(path, id);
    return id;
  };
  nodes.forEach((node, index) => {
    if (variables || node.kind !== "variable") entries[entryAt(node.name)].node = index;
  });
  const nearest = (path: string): number => byPath.get(path) ?? nearest(parentPath(path));
  return { entries, byPath, entryOf: Int32Array.from(nodes, (node) => nearest(node.name)) };
}

/** Number of nodes below each entry, variables too, itself not counted: what the list says of the same scope. */
export function countBelow({ entries, entryOf }: ScopeTree): Int32Array {
  const within = new Int32Array(entries.length);
  for (const entry of entryOf) within[entry] += 1;
  for (let id = entries.length - 1; id > 0; id -= 1) within[entries[id].parent] += within[id];
  return within.map((count, id) => count - (entries[id].node >= 0 ? 1 : 0));
}

/** Nodes below an entry, itself included, in execution order of their scopes. */
export function nodesBelow({ entries }: ScopeTree, id: number): NodeIndex[] {
  const found: NodeIndex[] = [];
  const stack = [id];
  while (stack.length > 0) {
    const entry = entries[stack.pop() as number];
    if (entry.node >= 0) found.push(entry.node);
    for (let index = entry.children.length - 1; index >= 0; index -= 1) stack.push(entry.children[index]);
  }
  return found;
}

/** Scopes to be opened to see the entry, outermost first, itself and the root not among them. */
export function ancestors({ entries }: ScopeTree, id: number): number[] {
  const found: number[] = [];
  for (let scope = entries[id].parent; scope > 0; scope = entries[scope].parent) found.push(scope);
  return found.reverse();
}

/** Scopes that stand open at first: depth by depth, as long as at most `few` boxes are drawn. All of a depth or none: equal blocks should look equal. */
export function openAtFirst({ entries }: ScopeTree, few: number): Set<string> {
  const open = new Set<string>();
  let level = entries[0].children.filter((id) => entries[id].children.length > 0);
  let boxes = entries[0].children.length;
  while (level.length > 0) {
    boxes += level.reduce((sum, id) => sum + entries[id].children.length, 0);
    if (boxes > few) break;
    for (const id of level) open.add(entries[id].path);
    level = level.flatMap((id) => entries[id].children).filter((id) => entries[id].children.length > 0);
  }
  return open;
}
