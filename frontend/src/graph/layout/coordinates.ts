/**
 * Last third of the layered layout: the place of every vertex across the flow, after Brandes and Köpf, "Fast and simple horizontal coordinate
 * assignment" (Graph Drawing 2001): vertices are aligned with a median neighbour in four ways, each is compacted, and the median of the four is taken.
 *
 * The one invariant: within a layer, neighbours keep their order and at least `separation` from centre to centre. It holds for each of the four, and the
 * median of four such assignments keeps it.
 *
 * Compaction walks the graph of blocks instead of the paper's classes: the classes of the paper can leave blocks overlapping.
 */

import type { Layering } from "./order";

export type Separation = (left: number, right: number) => number;

/** A pair of neighbouring vertices as one number. */
const pairKey = (a: number, b: number, count: number): number => Math.min(a, b) * count + Math.max(a, b);

/** Edges that cross an edge between two dummies: the long edge is to stay straight, so these are not aligned. */
function findConflicts({ layers, up, real }: Layering): Set<number> {
  const conflicts = new Set<number>();
  const place = new Int32Array(up.length);
  for (const layer of layers) layer.forEach((vertex, index) => (place[vertex] = index));
  const innerAbove = (vertex: number): number =>
    vertex >= real ? (up[vertex].find((above) => above >= real) ?? -1) : -1;
  for (let rank = 1; rank < layers.length; rank += 1) {
    const layer = layers[rank];
    let left = 0;
    let scanned = 0;
    layer.forEach((vertex, index) => {
      const inner = innerAbove(vertex);
      if (inner < 0 && index < layer.length - 1) return;
      const right = inner < 0 ? layers[rank - 1].length : place[inner];
      for (; scanned <= index; scanned += 1) {
        for (const above of up[layer[scanned]]) {
          const outside = place[above] < left || place[above] > right;
          if (outside && !(above >= real && layer[scanned] >= real))
            conflicts.add(pairKey(above, layer[scanned], up.length));
        }
      }
      left = right;
    });
  }
  return conflicts;
}

/** The one or two median neighbours, in the order in which a vertex tries to stand in line with them. */
function medians(neighbours: readonly number[], place: Int32Array, favoured: number): number[] {
  const sorted = neighbours.slice().sort((a, b) => place[a] - place[b]);
  const middle = (sorted.length - 1) / 2;
  const found = sorted.slice(Math.floor(middle), Math.ceil(middle) + 1);
  return found.length === 2 && found[0] >= favoured && found[1] < favoured ? found.reverse() : found;
}

/** Root of the block of each vertex: blocks are chains of vertices that share their coordinate. */
function align(
  layers: readonly (readonly number[])[],
  neighbours: Layering["up"],
  favoured: number,
  conflicts: Set<number>,
): Int32Array {
  const count = neighbours.length;
  const root = Int32Array.from({ length: count }, (_, vertex) => vertex);
  const place = new Int32Array(count);
  for (const layer of layers) layer.forEach((vertex, index) => (place[vertex] = index));
  for (const layer of layers) {
    let last = -1;
    for (const vertex of layer) {
      for (const neighbour of medians(neighbours[vertex], place, favoured)) {
        if (root[vertex] !== vertex || place[neighbour] <= last) continue;
        if (conflicts.has(pairKey(vertex, neighbour, count))) continue;
        root[vertex] = root[neighbour];
        last = place[neighbour];
      }
    }
  }
  return root;
}

interface BlockEdge {
  readonly left: number;
  readonly right: number;
  readonly distance: number;
}

function blockEdges(layers: readonly (readonly number[])[], root: Int32Array, separation: Separation): BlockEdge[] {
  const edges: BlockEdge[] = [];
  for (const layer of layers) {
    for (let index = 1; index < layer.length; index += 1) {
      const distance = separation(layer[index - 1], layer[index]);
      edges.push({ left: root[layer[index - 1]], right: root[layer[index]], distance });
    }
  }
  return edges;
}

/** As far left as the blocks go, then every block as far right as its right neighbours let it: that closes holes. */
function compact(layers: readonly (readonly number[])[], root: Int32Array, separation: Separation): Float64Array {
  const edges = blockEdges(layers, root, separation);
  const leaving = new Map<number, BlockEdge[]>();
  const open = new Int32Array(root.length);
  for (const edge of edges) {
    open[edge.right] += 1;
    const list = leaving.get(edge.left);
    if (list === undefined) leaving.set(edge.left, [edge]);
    else list.push(edge);
  }
  const x = new Float64Array(root.length);
  const order: number[] = [];
  root.forEach((block, vertex) => block === vertex && open[vertex] === 0 && order.push(vertex));
  for (let index = 0; index < order.length; index += 1) {
    for (const edge of leaving.get(order[index]) ?? []) {
      x[edge.right] = Math.max(x[edge.right], x[edge.left] + edge.distance);
      if ((open[edge.right] -= 1) === 0) order.push(edge.right);
    }
  }
  for (const block of order.reverse()) {
    const limits = leaving.get(block);
    if (limits === undefined) continue;
    x[block] = limits.reduce((least, edge) => Math.min(least, x[edge.right] - edge.distance), Infinity);
  }
  return x.map((_, vertex) => x[root[vertex]]);
}

interface Extent {
  readonly low: number;
  readonly high: number;
}

function extentOf(x: Float64Array): Extent {
  let low = Infinity;
  let high = -Infinity;
  for (const value of x) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high };
}

/** The median of the four assignments. Of two medians, a vertex below `favoured` is preferred. */
function assign(layering: Layering, separation: Separation, conflicts: Set<number>, favoured: number): Float64Array {
  const candidates: Float64Array[] = [];
  for (const downwards of [false, true]) {
    for (const mirrored of [false, true]) {
      const turned = downwards ? layering.layers.slice().reverse() : layering.layers;
      const layers = mirrored ? turned.map((layer) => layer.slice().reverse()) : turned;
      const root = align(layers, downwards ? layering.down : layering.up, favoured, conflicts);
      const x = compact(layers, root, mirrored ? (left, right) => separation(right, left) : separation);
      candidates.push(mirrored ? x.map((value) => -value) : x);
    }
  }
  return medianOf(candidates);
}

/** How much wider a picture may become so that its main way is straight. */
const PRICE_OF_STRAIGHT = 1.3;

const widthOf = (x: Float64Array): number => extentOf(x).high - extentOf(x).low;

/**
 * Coordinate of each vertex's centre across the flow. With short edges favoured the main way through a model is straight and its skips bend; where many
 * long edges interleave, that makes a picture several times as wide, and the plain method is better.
 */
export function assignCoordinates(layering: Layering, separation: Separation): Float64Array {
  const conflicts = findConflicts(layering);
  const plain = assign(layering, separation, conflicts, 0);
  if (layering.up.length === layering.real) return plain;
  const straight = assign(layering, separation, conflicts, layering.real);
  return widthOf(straight) <= PRICE_OF_STRAIGHT * widthOf(plain) ? straight : plain;
}

/** Moves the candidates onto the narrowest one (left-aligned ones by their left end, mirrored ones by their right end) and takes the median. */
function medianOf(candidates: readonly Float64Array[]): Float64Array {
  const extents = candidates.map(extentOf);
  const narrowest = extents.reduce((best, extent) => (extent.high - extent.low < best.high - best.low ? extent : best));
  const shifts = extents.map((extent, index) =>
    index % 2 === 0 ? narrowest.low - extent.low : narrowest.high - extent.high,
  );
  return candidates[0].map((_, vertex) => {
    const four = candidates.map((x, index) => x[vertex] + shifts[index]).sort((a, b) => a - b);
    return (four[1] + four[2]) / 2;
  });
}
