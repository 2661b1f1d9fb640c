/**
 * The laid-out graph, ready to be painted and asked: what is where, what is connected to what.
 *
 * The one invariant: a scene never changes. A new layout gives a new one; a new step only other colours.
 */

import type { Box } from "../draw/pen";
import type { GraphNode } from "../types";
import type { CssPixels, NodeIndex } from "../units";
import type { Measured, BoxText } from "./boxes";
import { HEADER, type Direction, type LayoutAnswer } from "./layout/nested";
import type { ScopeTree } from "./scopes";
import { ascend, type VisibleGraph } from "./visible";

/** A line on the page: see `tracePath` for how its points are joined. */
export interface Route {
  readonly points: Float32Array;
  readonly bounds: Box;
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
  /** Edges of the model that it stands for. */
  readonly count: number;
  /** Of these, those along which a gradient can flow back. */
  readonly gradients: number;
  /** Runs between the border of a scope and an item in it. */
  readonly port: boolean;
}

export interface Scene {
  readonly tree: ScopeTree;
  readonly nodes: readonly GraphNode[];
  readonly visible: VisibleGraph;
  readonly texts: readonly BoxText[];
  readonly boxes: readonly Box[];
  readonly routes: readonly Route[];
  /** Route by its ends; the way in or out of a scope has the scope as one end. */
  readonly routeAt: ReadonlyMap<string, Route>;
  /** Items that each item takes values from, and gives values to. */
  readonly sources: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
}

function boundsOf(points: Float32Array): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < points.length; at += 2) {
    left = Math.min(left, points[at]);
    right = Math.max(right, points[at]);
    top = Math.min(top, points[at + 1]);
    bottom = Math.max(bottom, points[at + 1]);
  }
  // Room for the arrow head and for the line of the gradient beside it.
  return { x: left - 8, y: top - 8, width: right - left + 16, height: bottom - top + 16 };
}

function makeRoutes(visible: VisibleGraph, answer: LayoutAnswer): Route[] {
  const count = answer.offsets.length - 1;
  return Array.from({ length: count }, (_, index): Route => {
    const points = answer.points.subarray(2 * answer.offsets[index], 2 * answer.offsets[index + 1]);
    const port = index >= visible.edges.length;
    const code = port ? answer.portRoutes[index - visible.edges.length] : 0;
    const inside = code >> 1;
    const scope = visible.items[inside].parent;
    const outwards = (code & 1) === 1;
    const edge = port
      ? { from: outwards ? inside : scope, to: outwards ? scope : inside, count: 1, gradients: 0 }
      : visible.edges[index];
    const around = port ? scope : visible.items[edge.from].parent;
    return { ...edge, points, bounds: boundsOf(points), direction: answer.down[around] === 1 ? "down" : "right", port };
  });
}

export function makeScene(
  tree: ScopeTree,
  nodes: readonly GraphNode[],
  visible: VisibleGraph,
  measured: Measured,
  answer: LayoutAnswer,
): Scene {
  const sources: number[][] = visible.items.map(() => []);
  const targets: number[][] = visible.items.map(() => []);
  for (const { from, to } of visible.links) {
    sources[to].push(from);
    targets[from].push(to);
  }
  const boxes = visible.items.map((_, item): Box => {
    const [x, y, width, height] = answer.boxes.subarray(4 * item, 4 * item + 4);
    return { x, y, width, height };
  });
  const routes = makeRoutes(visible, answer);
  const routeAt = new Map(routes.map((route) => [`${route.from}>${route.to}`, route]));
  return { tree, nodes, visible, texts: measured.texts, boxes, routes, routeAt, sources, targets };
}

/** The lines that stand for the edge from one item to another, through the borders of all scopes between them. */
export function routesBetween({ visible, routeAt }: Scene, from: number, to: number): Route[] {
  const { leaves, enters, joins } = ascend(visible.items, from, to);
  const around = (item: number): number => visible.items[item].parent;
  const keys = [
    ...leaves.map((item) => `${item}>${around(item)}`),
    ...(joins === null ? [] : [`${joins[0]}>${joins[1]}`]),
    ...enters.map((item) => `${around(item)}>${item}`),
  ];
  return keys.flatMap((key) => routeAt.get(key) ?? []);
}

export const contains = (box: Box, x: CssPixels, y: CssPixels): boolean =>
  x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;

/** What a place on the page belongs to. */
export interface Hit {
  readonly item: number;
  /** The triangle that opens and closes a scope (and, in an open scope, its title). */
  readonly onTitle: boolean;
}

/** The innermost item at a place; null between them. Children come after their scopes, so the last hit is the innermost. */
export function hitTest(scene: Scene, x: CssPixels, y: CssPixels): Hit | null {
  for (let item = scene.boxes.length - 1; item > 0; item -= 1) {
    const box = scene.boxes[item];
    if (!contains(box, x, y)) continue;
    return { item, onTitle: isScope(scene, item) && (scene.visible.items[item].open ? y < box.y + HEADER : true) };
  }
  return null;
}

export function isScope({ texts }: Scene, item: number): boolean {
  return texts[item].inside > 0;
}

/** The item that shows the node; −1 when none does. */
export function itemOfNode(scene: Scene, node: NodeIndex): number {
  const entry = scene.tree.entryOf[node] ?? 0;
  return entry === 0 ? -1 : scene.visible.itemOf[entry];
}

export const pathOf = (scene: Scene, item: number): string => scene.tree.entries[scene.visible.items[item].entry].path;
