/**
 * What is on the page when certain scopes are open: its boxes (items) and the edges between them.
 *
 * The one invariant: every edge of the model is there once, either as an `edge` between two children of the same scope (drawn; edges that end up the same
 * are one, with their number) plus a `port` in every scope whose border it crosses, or inside a closed scope.
 */

import type { GraphNode } from "../types";
import { GIVES_TO_OUTSIDE, TAKES_FROM_OUTSIDE } from "./layout/nested";
import type { ScopeTree } from "./scopes";

/** A box: a node, a closed scope, or an open scope around its children. Item 0 is the page. */
export interface Item {
  readonly entry: number;
  /** Item of the scope around it; −1 for the page. */
  readonly parent: number;
  readonly open: boolean;
}

export interface ItemEdge {
  readonly from: number;
  readonly to: number;
  /** Edges of the model that this one stands for. */
  readonly count: number;
  /** Of these, those along which a gradient can flow back: the value at `from` has one. */
  readonly gradients: number;
}

export interface VisibleGraph {
  readonly items: readonly Item[];
  /** Item that shows each entry: its own, or the closed scope it is in. */
  readonly itemOf: Int32Array;
  /** Edges between items of the same scope, as drawn. */
  readonly edges: readonly ItemEdge[];
  /** Edges between the items that hold the ends, whatever scopes they are in: what is connected to what. */
  readonly links: readonly ItemEdge[];
  /** Items with an edge to themselves. */
  readonly loops: readonly number[];
  /** Per item: TAKES_FROM_OUTSIDE, GIVES_TO_OUTSIDE. */
  readonly ports: Uint8Array;
}

function listItems(tree: ScopeTree, open: ReadonlySet<string>): { items: Item[]; itemOf: Int32Array } {
  const items: Item[] = [];
  const itemOf = new Int32Array(tree.entries.length).fill(-1);
  // Entries come after their parents, so one pass finds for each entry what its parent has become.
  tree.entries.forEach((entry, id) => {
    const parent = entry.parent < 0 ? -1 : itemOf[entry.parent];
    if (parent >= 0 && !items[parent].open) {
      itemOf[id] = parent;
      return;
    }
    itemOf[id] = items.length;
    items.push({ entry: id, parent, open: id === 0 || (entry.children.length > 0 && open.has(entry.path)) });
  });
  return { items, itemOf };
}

/** Counts equal pairs. */
class PairCounter {
  readonly #counts = new Map<number, { count: number; gradients: number }>();

  constructor(private readonly size: number) {}

  add(from: number, to: number, gradient: boolean): void {
    const key = from * this.size + to;
    const pair = this.#counts.get(key) ?? { count: 0, gradients: 0 };
    pair.count += 1;
    pair.gradients += Number(gradient);
    this.#counts.set(key, pair);
  }

  list(): ItemEdge[] {
    return [...this.#counts].map(([key, pair]) => ({
      from: Math.floor(key / this.size),
      to: key % this.size,
      ...pair,
    }));
  }
}

/** The children of the innermost common scope that hold `from` and `to`, and the items on the way there. */
export interface Ascent {
  /** `from` and the scopes around it, whose border the edge crosses, innermost first. */
  readonly leaves: readonly number[];
  /** The same for `to`. */
  readonly enters: readonly number[];
  /** What the edge joins in the common scope; null when one end is a scope around the other. */
  readonly joins: readonly [number, number] | null;
}

/** How an edge between two items runs through the scopes. */
export function ascend(items: readonly Item[], from: number, to: number): Ascent {
  const [up, down] = [chainOf(items, from), chainOf(items, to)];
  let [a, b] = [up.length - 1, down.length - 1];
  while (a >= 0 && b >= 0 && up[a] === down[b]) [a, b] = [a - 1, b - 1];
  return {
    leaves: up.slice(0, b < 0 ? a + 1 : Math.max(a, 0)),
    enters: down.slice(0, a < 0 ? b + 1 : Math.max(b, 0)),
    joins: a >= 0 && b >= 0 ? [up[a], down[b]] : null,
  };
}

/** Chain of items from `item` up to the page, itself first. */
function chainOf(items: readonly Item[], item: number): number[] {
  const chain: number[] = [];
  for (let at = item; at >= 0; at = items[at].parent) chain.push(at);
  return chain;
}

/** The items shown with the scopes at the paths `open` opened. */
export function buildVisible(tree: ScopeTree, nodes: readonly GraphNode[], open: ReadonlySet<string>): VisibleGraph {
  const { items, itemOf } = listItems(tree, open);
  const edges = new PairCounter(items.length);
  const links = new PairCounter(items.length);
  const loops = new Set<number>();
  const ports = new Uint8Array(items.length);
  const join = (from: number, to: number, gradient: boolean): void => {
    const { leaves, enters, joins } = ascend(items, from, to);
    for (const item of leaves) ports[item] |= GIVES_TO_OUTSIDE;
    for (const item of enters) ports[item] |= TAKES_FROM_OUTSIDE;
    if (joins !== null) edges.add(joins[0], joins[1], gradient);
    links.add(from, to, gradient);
  };
  nodes.forEach((node, index) => {
    const to = itemOf[tree.entryOf[index]];
    for (const input of node.inputs) {
      if (input < 0 || input >= nodes.length || !isDrawn(tree, nodes, input) || !isDrawn(tree, nodes, index)) continue;
      const from = itemOf[tree.entryOf[input]];
      if (from !== to) join(from, to, hasGradient(nodes[input]));
      else if (input === index) loops.add(to);
    }
  });
  return { items, itemOf, edges: edges.list(), links: links.list(), loops: [...loops], ports };
}

function hasGradient(node: GraphNode): boolean {
  const gradient = node.quantities.gradient;
  return gradient !== undefined && gradient.state !== "unreachable";
}

/** A variable without an entry of its own is part of its layer, and so are its edges. */
function isDrawn(tree: ScopeTree, nodes: readonly GraphNode[], index: number): boolean {
  return tree.entries[tree.entryOf[index]].path === nodes[index].name;
}
