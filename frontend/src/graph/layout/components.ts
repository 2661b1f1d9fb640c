/**
 * Layout of a graph that may fall into pieces: each connected piece is laid out by itself, the pieces are packed beside each other, and what has no
 * edge at all stands in a grid behind them (a model may hold hundreds of layers that its train step never calls), or beside them where the graph
 * has an exit.
 *
 * The one invariant: the pieces don't overlap, the first vertex's piece comes first, and nothing stands behind an exit: it lies on the border.
 */

import { layOutFlow, type FlowGraph, type FlowLayout } from "./layered";

const PIECE_GAP = 28;
const SINGLE_GAP = 14;

/** Piece of each vertex, numbered in the order of their first vertex. */
function findPieces(count: number, edges: FlowGraph["edges"]): number[][] {
  const parent = Int32Array.from({ length: count }, (_, vertex) => vertex);
  const find = (vertex: number): number => {
    while (parent[vertex] !== vertex) vertex = parent[vertex] = parent[parent[vertex]];
    return vertex;
  };
  for (const { from, to } of edges) {
    const [a, b] = [find(from), find(to)];
    parent[Math.max(a, b)] = Math.min(a, b);
  }
  const pieces = new Map<number, number[]>();
  for (let vertex = 0; vertex < count; vertex += 1) {
    const root = find(vertex);
    const piece = pieces.get(root);
    if (piece === undefined) pieces.set(root, [vertex]);
    else piece.push(vertex);
  }
  return [...pieces.values()];
}

interface Box {
  readonly across: number;
  readonly along: number;
}

interface Shelves {
  readonly starts: readonly Box[];
  readonly across: number;
  readonly along: number;
}

/** Places boxes beside each other until `limit`, then begins the next shelf. */
function shelve(boxes: readonly Box[], limit: number, gap: number): Shelves {
  let [across, along, shelf, widest] = [0, 0, 0, 0];
  const starts = boxes.map((box) => {
    if (across > 0 && across + box.across > limit) {
      along += shelf + gap;
      across = shelf = 0;
    }
    const start = { across, along };
    widest = Math.max(widest, across + box.across);
    across += box.across + gap;
    shelf = Math.max(shelf, box.along);
    return start;
  });
  return { starts, across: widest, along: along + shelf };
}

/** The part of `graph` that holds `vertices`, with the indices of its edges. */
function subgraph(graph: FlowGraph, vertices: readonly number[]): { graph: FlowGraph; edges: number[] } {
  const local = new Map(vertices.map((vertex, index) => [vertex, index]));
  const edges = [...graph.edges.keys()].filter((edge) => local.has(graph.edges[edge].from));
  const localOf = (vertex: number): number => local.get(vertex) ?? -1;
  return {
    graph: {
      across: vertices.map((vertex) => graph.across[vertex]),
      along: vertices.map((vertex) => graph.along[vertex]),
      edges: edges.map((edge) => ({ from: localOf(graph.edges[edge].from), to: localOf(graph.edges[edge].to) })),
      entry: localOf(graph.entry),
      exit: localOf(graph.exit),
    },
    edges,
  };
}

/** Across extent that gives a page of this aspect (across : along) to boxes of this total area. */
function shelfLimit(boxes: readonly Box[], aspect: number): number {
  const area = boxes.reduce((sum, box) => sum + (box.across + SINGLE_GAP) * (box.along + SINGLE_GAP), 0);
  return boxes.reduce((most, box) => Math.max(most, box.across), Math.sqrt(area * aspect));
}

/** Lays out `graph`; `aspect` is the across : along ratio to aim at where there is a choice. */
export function layOutComponents(graph: FlowGraph, aspect: number): FlowLayout {
  const pieces = findPieces(graph.across.length, graph.edges);
  if (pieces.length === 1) return layOutFlow(graph);
  const joined = pieces.filter((piece) => piece.length > 1);
  const singles = pieces.filter((piece) => piece.length === 1).map(([vertex]) => vertex);
  const layouts = joined.map((piece) => {
    const part = subgraph(graph, piece);
    return { ...part, layout: layOutFlow(part.graph) };
  });
  const boxes = layouts.map(({ layout }) => ({ across: layout.acrossExtent, along: layout.alongExtent }));
  const top = shelve(boxes, shelfLimit(boxes, aspect), PIECE_GAP);
  const [side, way] = graph.exit >= 0 ? (["along", "across"] as const) : (["across", "along"] as const);
  const small = singles.map((vertex) => ({ across: graph[side][vertex], along: graph[way][vertex] }));
  const limit = graph.exit >= 0 ? top.along : Math.max(top.across, shelfLimit(small, aspect));
  const grid = shelve(small, limit, SINGLE_GAP);
  const gridStart = joined.length > 0 && singles.length > 0 ? top[way] + PIECE_GAP : top[way];
  const across = new Float64Array(graph.across.length);
  const along = new Float64Array(graph.across.length);
  const routes: number[][] = graph.edges.map(() => []);
  layouts.forEach(({ layout, edges }, piece) => {
    const start = top.starts[piece];
    joined[piece].forEach((vertex, index) => {
      across[vertex] = layout.across[index] + start.across;
      along[vertex] = layout.along[index] + start.along;
    });
    edges.forEach((edge, index) => {
      routes[edge] = layout.routes[index].map((value, at) => value + (at % 2 === 0 ? start.across : start.along));
    });
  });
  const places = { across, along };
  singles.forEach((vertex, index) => {
    places[side][vertex] = grid.starts[index].across + graph[side][vertex] / 2;
    places[way][vertex] = gridStart + grid.starts[index].along + graph[way][vertex] / 2;
  });
  const extent = { ...top, [side]: Math.max(top[side], grid.across), [way]: gridStart + grid.along };
  return {
    across,
    along,
    acrossExtent: extent.across,
    alongExtent: extent.along,
    routes,
  };
}
