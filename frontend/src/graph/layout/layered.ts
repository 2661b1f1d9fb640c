/**
 * Layered layout of one connected graph (Sugiyama's method): ranks, order within ranks, coordinates, routes.
 *
 * Works in flow coordinates: `along` runs with the edges, `across` at a right angle to them; the caller turns that into x and y.
 *
 * The one invariant: an edge never passes through a vertex. Between layers it is a curve, inside the range of a layer it runs straight along the flow,
 * beside the vertices, in a lane that a dummy vertex keeps free. (Exception: see MOST_DUMMIES.)
 */

import { assignCoordinates } from "./coordinates";
import { orderLayers, type Layering } from "./order";
import { assignRanks, breakCycles, type Edge } from "./ranks";

export interface FlowGraph {
  /** Extents of each vertex. */
  readonly across: readonly number[];
  readonly along: readonly number[];
  /** Self-loops must not be among them. */
  readonly edges: readonly Edge[];
  /** Vertex that stands alone before all others, and one that stands alone after all others; −1 without one. */
  readonly entry: number;
  readonly exit: number;
}

export interface FlowLayout {
  /** Centre of each vertex; the smallest start is 0. */
  readonly across: Float64Array;
  readonly along: Float64Array;
  readonly acrossExtent: number;
  readonly alongExtent: number;
  /** Points of each edge, (across, along) pairs from its first end to its second. Neighbouring points with the same `across` are joined by a line, others by a curve. */
  readonly routes: readonly number[][];
}

const VERTEX_GAP = 14;
const LANE_GAP = 8;
const SMALLEST_LAYER_GAP = 20;
/** Between the border of a scope, where its ports are, and what is inside. */
const PORT_GAP = 14;
const LARGEST_LAYER_GAP = 56;

/**
 * Beyond so many dummies the longest edges are drawn as one curve across whatever is there, and the layout ignores them: a model in which each of 2,000
 * layers feeds the loss would otherwise have two million.
 */
const MOST_DUMMIES = 12_000;

interface Routed extends Layering {
  readonly rank: Int32Array;
  /** Vertices that each edge passes, ends included. */
  readonly paths: readonly number[][];
}

function rankVertices(graph: FlowGraph, edges: readonly Edge[]): Int32Array {
  const rank = assignRanks(graph.across.length, edges);
  const inner = [...rank.keys()].filter((vertex) => vertex !== graph.entry && vertex !== graph.exit);
  const first = inner.reduce((least, vertex) => Math.min(least, rank[vertex]), Infinity);
  const last = inner.reduce((most, vertex) => Math.max(most, rank[vertex]), -1);
  const shift = first === Infinity ? 0 : first - (graph.entry >= 0 ? 1 : 0);
  for (const vertex of inner) rank[vertex] -= shift;
  if (graph.entry >= 0) rank[graph.entry] = 0;
  if (graph.exit >= 0) rank[graph.exit] = Math.max(last - shift + 1, graph.entry >= 0 ? 1 : 0);
  return rank;
}

/** Splits long edges into chains of dummies. The edges of one source share their chain, which also bundles what belongs together. */
function routeEdges(count: number, edges: readonly Edge[], rank: Int32Array): Routed {
  const up: number[][] = Array.from({ length: count }, () => []);
  const down: number[][] = Array.from({ length: count }, () => []);
  const ranks = Array.from(rank);
  const chains: number[][] = Array.from({ length: count }, () => []);
  const paths: number[][] = edges.map(() => []);
  const link = (from: number, to: number): void => void (down[from].push(to), up[to].push(from));
  const span = (index: number): number => rank[edges[index].to] - rank[edges[index].from];
  const bySpan = [...edges.keys()].sort((a, b) => span(a) - span(b) || a - b);
  for (const index of bySpan) {
    const { from, to } = edges[index];
    const chain = chains[from];
    const lanes = span(index) - 1;
    if (up.length + lanes - chain.length > count + MOST_DUMMIES) {
      paths[index] = [from, to];
      continue;
    }
    while (chain.length < lanes) {
      const dummy = up.length;
      up.push([]);
      down.push([]);
      ranks.push(rank[from] + chain.length + 1);
      link(chain.length > 0 ? chain[chain.length - 1] : from, dummy);
      chain.push(dummy);
    }
    link(lanes > 0 ? chain[lanes - 1] : from, to);
    paths[index] = [from, ...chain.slice(0, lanes), to];
  }
  const layers: number[][] = Array.from(
    { length: ranks.reduce((most, value) => Math.max(most, value), -1) + 1 },
    () => [],
  );
  ranks.forEach((value, vertex) => layers[value].push(vertex));
  return { layers, up, down, real: count, rank: Int32Array.from(ranks), paths };
}

interface Band {
  readonly start: number;
  readonly end: number;
}

/** Where each layer begins and ends along the flow. Edges that travel far across get more room, so that they don't lie flat. */
function placeLayers(graph: FlowGraph, routed: Routed, across: Float64Array): Band[] {
  const bands: Band[] = [];
  let start = 0;
  routed.layers.forEach((layer, rank) => {
    const size = layer.reduce((most, vertex) => Math.max(most, graph.along[vertex] ?? 0), 0);
    bands.push({ start, end: start + size });
    const travel = layer.reduce(
      (most, vertex) => routed.down[vertex].reduce((m, to) => Math.max(m, Math.abs(across[vertex] - across[to])), most),
      0,
    );
    const isPort = layer.includes(graph.entry) || (routed.layers[rank + 1]?.includes(graph.exit) ?? false);
    const gap = Math.min(LARGEST_LAYER_GAP, (isPort ? PORT_GAP : SMALLEST_LAYER_GAP) + travel / 12);
    start += size + (rank < routed.layers.length - 1 ? gap : 0);
  });
  return bands;
}

/** Appends a point unless it is the last one again. */
function addPoint(points: number[], across: number, along: number): void {
  const last = points.length - 2;
  if (last >= 0 && points[last] === across && points[last + 1] === along) return;
  points.push(across, along);
}

function pointsOf(
  path: readonly number[],
  routed: Routed,
  bands: readonly Band[],
  layout: Omit<FlowLayout, "routes">,
  sizes: readonly number[],
): number[] {
  const points: number[] = [];
  path.forEach((vertex, index) => {
    const band = bands[routed.rank[vertex]];
    const half = (sizes[vertex] ?? 0) / 2;
    const across = layout.across[vertex];
    if (index > 0) addPoint(points, across, band.start);
    if (index === path.length - 1) addPoint(points, across, layout.along[vertex] - half);
    if (index === 0) addPoint(points, across, layout.along[vertex] + half);
    if (index < path.length - 1) addPoint(points, across, band.end);
  });
  return points;
}

function reversedPoints(points: readonly number[]): number[] {
  const turned: number[] = [];
  for (let index = points.length - 2; index >= 0; index -= 2) turned.push(points[index], points[index + 1]);
  return turned;
}

/** Lays out a connected graph. */
export function layOutFlow(graph: FlowGraph): FlowLayout {
  const count = graph.across.length;
  const acyclic = breakCycles(count, graph.edges);
  const routed = routeEdges(count, acyclic, rankVertices(graph, acyclic));
  const ordered = orderLayers(routed);
  const half = (vertex: number): number => (vertex < count ? graph.across[vertex] / 2 : 0);
  const centres = assignCoordinates(ordered, (left, right) => {
    const gap = left < count && right < count ? VERTEX_GAP : LANE_GAP;
    return half(left) + gap + half(right);
  });
  let low = Infinity;
  let high = -Infinity;
  centres.forEach((centre, vertex) => {
    low = Math.min(low, centre - half(vertex));
    high = Math.max(high, centre + half(vertex));
  });
  // Whole pixels: lines and boxes stay crisp at zoom 1.
  const across = centres.map((centre) => Math.round(centre - low));
  const bands = placeLayers(graph, { ...routed, layers: ordered.layers }, across);
  const along = across.map((_, vertex) => (bands[routed.rank[vertex]].start + bands[routed.rank[vertex]].end) / 2);
  const layout = { across, along, acrossExtent: high - low, alongExtent: bands[bands.length - 1]?.end ?? 0 };
  const routes = routed.paths.map((path, index) => {
    const points = pointsOf(path, routed, bands, layout, graph.along);
    return acyclic[index] === graph.edges[index] ? points : reversedPoints(points);
  });
  return { ...layout, across: across.subarray(0, count), along: along.subarray(0, count), routes };
}
