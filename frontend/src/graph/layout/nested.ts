/**
 * Layout of nested scopes: every open scope is laid out by itself, innermost first, and then counts as one box in its parent. The direction alternates
 * from depth to depth, so that a deep model uses the page both ways; in a low view it goes down only where that fits.
 *
 * The one invariant: a child lies within its scope, and no two children of a scope overlap.
 *
 * Numbers only go in and come out (typed arrays), so that a request and its answer cross the border of a worker without being walked.
 */

import { layOutComponents } from "./components";
import type { FlowGraph, FlowLayout } from "./layered";

/** `down`: inputs at the top, outputs at the bottom. `right`: inputs left, outputs right. */
export type Direction = "down" | "right";

export interface LayoutRequest {
  /** Direction of the outermost scope. */
  readonly direction: Direction;
  /** Height of a low view: a scope that would be higher is laid out from left to right. 0: directions alternate, however high that is. */
  readonly room: number;
  /** Scope of each item; −1 for the root, which is item 0. An item comes after its scope. */
  readonly parent: Int32Array;
  /** 1 for a scope whose children are items too: it gets its size from them, `width` is then the least one (its title). */
  readonly open: Uint8Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** Bit 1: takes a value from outside its scope. Bit 2: gives one to the outside. */
  readonly ports: Uint8Array;
  /** Pairs of items with the same parent. */
  readonly edges: Int32Array;
}

export interface LayoutAnswer {
  /** x, y, width, height of each item, in CSS pixels at zoom 1; the root begins at 0, 0. */
  readonly boxes: Float32Array;
  /** Points of all routes as x, y pairs: first the edges in the order of the request, then one route per port (`portRoutes`). */
  readonly points: Float32Array;
  /** Where the points of each route begin, in pairs; one more entry than there are routes. */
  readonly offsets: Int32Array;
  /** Item of each route beyond the edges: a line between the border of its scope and the item; 2 × item + 1 for the way out. */
  readonly portRoutes: Int32Array;
  /** Of each item: 1 where its children go down. */
  readonly down: Uint8Array;
}

export const TAKES_FROM_OUTSIDE = 1;
export const GIVES_TO_OUTSIDE = 2;
export const HEADER: number = 24;
export const PADDING: number = 12;
const PAGE_ASPECT = 1.6;

interface ScopeLayout {
  readonly children: readonly number[];
  /** Edges of the request, then ports, in the order of the routes of `flow`. */
  readonly edges: readonly number[];
  readonly portRoutes: readonly number[];
  readonly flow: FlowLayout;
  readonly direction: Direction;
  /** Start of the content relative to the scope's own corner. */
  readonly left: number;
  readonly top: number;
}

interface Sizes {
  readonly width: Float32Array;
  readonly height: Float32Array;
}

const turned = (direction: Direction): Direction => (direction === "down" ? "right" : "down");

/** The flow graph of one scope: its children, and a port vertex per side that something passes. */
function flowGraph(
  request: LayoutRequest,
  sizes: Sizes,
  children: readonly number[],
  edges: readonly number[],
  direction: Direction,
): { graph: FlowGraph; portRoutes: number[] } {
  const local = new Map(children.map((item, index) => [item, index]));
  const localOf = (item: number): number => local.get(item) as number;
  const [across, along] = direction === "down" ? [sizes.width, sizes.height] : [sizes.height, sizes.width];
  const joined = edges.map((edge) => ({
    from: localOf(request.edges[2 * edge]),
    to: localOf(request.edges[2 * edge + 1]),
  }));
  const fed = children.filter((item) => (request.ports[item] & TAKES_FROM_OUTSIDE) !== 0);
  const feeding = children.filter((item) => (request.ports[item] & GIVES_TO_OUTSIDE) !== 0);
  const entry = fed.length > 0 ? children.length : -1;
  const exit = feeding.length > 0 ? children.length + (entry < 0 ? 0 : 1) : -1;
  const ports = (entry < 0 ? 0 : 1) + (exit < 0 ? 0 : 1);
  const none = Array.from({ length: ports }, () => 0);
  return {
    graph: {
      across: [...children.map((item) => across[item]), ...none],
      along: [...children.map((item) => along[item]), ...none],
      edges: [
        ...joined,
        ...fed.map((item) => ({ from: entry, to: localOf(item) })),
        ...feeding.map((item) => ({ from: localOf(item), to: exit })),
      ],
      entry,
      exit,
    },
    portRoutes: [...fed.map((item) => 2 * item), ...feeding.map((item) => 2 * item + 1)],
  };
}

/** Lays out one scope and writes its size. Ports lie on the border itself, so that side needs no padding of its own. */
function layOutScope(
  request: LayoutRequest,
  sizes: Sizes,
  scope: number,
  children: readonly number[],
  edges: readonly number[],
  direction: Direction,
): ScopeLayout {
  const { graph, portRoutes } = flowGraph(request, sizes, children, edges, direction);
  const flow = layOutComponents(graph, direction === "down" ? PAGE_ASPECT : 1 / PAGE_ASPECT);
  const isRoot = request.parent[scope] < 0;
  const pad = isRoot ? 0 : PADDING;
  const before = graph.entry >= 0 ? 0 : pad;
  const after = graph.exit >= 0 ? 0 : pad;
  const header = isRoot ? 0 : HEADER;
  const down = direction === "down";
  const inner = down ? flow.acrossExtent + 2 * pad : before + flow.alongExtent + after;
  sizes.width[scope] = Math.max(request.width[scope], inner);
  sizes.height[scope] =
    header + (down ? Math.max(0, before - 8) + flow.alongExtent + after : flow.acrossExtent + pad + 2);
  const slack = sizes.width[scope] - inner;
  // A title wider than the content: the content stands in the middle, unless it has ports on the left and right border.
  const shift = down ? Math.round(slack / 2) : 0;
  return {
    children,
    edges,
    portRoutes,
    flow,
    direction,
    left: shift + (down ? pad : before),
    top: header + (down ? Math.max(0, before - 8) : isRoot ? 0 : 2),
  };
}

/** Lists of the children of each item and of the edges within each item. */
function contents(request: LayoutRequest): { children: number[][]; edges: number[][] } {
  const children: number[][] = Array.from(request.parent, () => []);
  const edges: number[][] = Array.from(request.parent, () => []);
  request.parent.forEach((parent, item) => parent >= 0 && children[parent].push(item));
  for (let edge = 0; 2 * edge < request.edges.length; edge += 1)
    edges[request.parent[request.edges[2 * edge]]].push(edge);
  return { children, edges };
}

/** The direction to try first for each item, and what its scopes leave of the view's height. */
function directions(request: LayoutRequest): { direction: Direction; room: number }[] {
  const result: { direction: Direction; room: number }[] = [];
  request.parent.forEach((parent) => {
    if (parent < 0) return result.push({ direction: request.direction, room: request.room || Infinity });
    const around = result[parent];
    const direction = request.room > 0 ? "down" : turned(around.direction);
    return result.push({ direction, room: parent === 0 ? around.room : around.room - HEADER - PADDING });
  });
  return result;
}

/** Lays out all open scopes. */
export function layOutNested(request: LayoutRequest): LayoutAnswer {
  const count = request.parent.length;
  const sizes = { width: request.width.slice(), height: request.height.slice() };
  const { children, edges } = contents(request);
  const wanted = directions(request);
  const scopes = new Map<number, ScopeLayout>();
  for (let item = count - 1; item >= 0; item -= 1) {
    if (request.open[item] === 0) continue;
    const layOut = (direction: Direction): ScopeLayout =>
      layOutScope(request, sizes, item, children[item], edges[item], direction);
    const scope = layOut(wanted[item].direction);
    scopes.set(item, sizes.height[item] > wanted[item].room && scope.direction === "down" ? layOut("right") : scope);
  }
  const boxes = new Float32Array(4 * count);
  boxes[2] = sizes.width[0];
  boxes[3] = sizes.height[0];
  const routes: number[][] = Array.from({ length: request.edges.length / 2 }, () => []);
  const ports: { code: number; points: number[] }[] = [];
  for (let item = 0; item < count; item += 1) {
    const scope = scopes.get(item);
    if (scope !== undefined) placeScope(scope, boxes, item, sizes, routes, ports);
  }
  return packed(
    boxes,
    [...routes, ...ports.map((port) => port.points)],
    ports.map((port) => port.code),
    Uint8Array.from({ length: count }, (_, item) => Number(scopes.get(item)?.direction === "down")),
  );
}

function placeScope(
  scope: ScopeLayout,
  boxes: Float32Array,
  item: number,
  sizes: Sizes,
  routes: number[][],
  ports: { code: number; points: number[] }[],
): void {
  const left = boxes[4 * item] + scope.left;
  const top = boxes[4 * item + 1] + scope.top;
  const { flow } = scope;
  const [xs, ys] = scope.direction === "down" ? [flow.across, flow.along] : [flow.along, flow.across];
  scope.children.forEach((child, index) => {
    const [width, height] = [sizes.width[child], sizes.height[child]];
    boxes.set([left + xs[index] - width / 2, top + ys[index] - height / 2, width, height], 4 * child);
  });
  flow.routes.forEach((route, index) => {
    const points = toPage(route, scope.direction, left, top);
    if (index < scope.edges.length) routes[scope.edges[index]] = points;
    else ports.push({ code: scope.portRoutes[index - scope.edges.length], points });
  });
}

function toPage(route: readonly number[], direction: Direction, left: number, top: number): number[] {
  const points: number[] = [];
  for (let at = 0; at < route.length; at += 2) {
    const [x, y] = direction === "down" ? [route[at], route[at + 1]] : [route[at + 1], route[at]];
    points.push(left + x, top + y);
  }
  return points;
}

function packed(
  boxes: Float32Array,
  routes: readonly number[][],
  portRoutes: readonly number[],
  down: Uint8Array,
): LayoutAnswer {
  const offsets = new Int32Array(routes.length + 1);
  routes.forEach((route, index) => (offsets[index + 1] = offsets[index] + route.length / 2));
  const points = new Float32Array(2 * offsets[routes.length]);
  routes.forEach((route, index) => points.set(route, 2 * offsets[index]));
  return { boxes, points, offsets, portRoutes: Int32Array.from(portRoutes), down };
}
