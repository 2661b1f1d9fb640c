/**
 * Second third of the layered layout: the order of the vertices within each layer, chosen so that few edges cross.
 *
 * The one invariant: every layer keeps its vertices, only their order changes, and the result never has more crossings than any order tried.
 */

/** A graph whose edges join neighbouring layers only: long edges are chains of dummy vertices. */
export interface Layering {
  /** Vertices of each layer, left to right. */
  readonly layers: number[][];
  /** Neighbours of each vertex in the layer above, and in the layer below. */
  readonly up: readonly (readonly number[])[];
  readonly down: readonly (readonly number[])[];
  /** Vertices below this number are real, the others are dummies. */
  readonly real: number;
}

type Neighbours = readonly (readonly number[])[];

function placesOf(layers: readonly (readonly number[])[], count: number): Int32Array {
  const place = new Int32Array(count);
  for (const layer of layers) layer.forEach((vertex, index) => (place[vertex] = index));
  return place;
}

/** Number of edges to a lower place than the new one: a Fenwick tree over the places of the lower layer. */
class PlaceCounter {
  readonly #sums: Int32Array;
  #total = 0;

  constructor(size: number) {
    this.#sums = new Int32Array(size + 1);
  }

  add(place: number): void {
    this.#total += 1;
    for (let node = place + 1; node < this.#sums.length; node += node & -node) this.#sums[node] += 1;
  }

  after(place: number): number {
    let upTo = 0;
    for (let node = place + 1; node > 0; node -= node & -node) upTo += this.#sums[node];
    return this.#total - upTo;
  }
}

/** Crossings of all edges between neighbouring layers, O(edges × log width). */
export function countCrossings({ layers, down }: Layering): number {
  const place = placesOf(layers, down.length);
  let crossings = 0;
  for (let rank = 0; rank + 1 < layers.length; rank += 1) {
    const counter = new PlaceCounter(layers[rank + 1].length);
    for (const vertex of layers[rank]) {
      const targets = down[vertex];
      for (const target of targets) crossings += counter.after(place[target]);
      for (const target of targets) counter.add(place[target]);
    }
  }
  return crossings;
}

/** Depth-first from the top: chains stay together, and what was called first stands left. */
function initialOrder(layers: readonly (readonly number[])[], down: Neighbours): number[][] {
  const rankOf = new Int32Array(down.length);
  layers.forEach((layer, rank) => layer.forEach((vertex) => (rankOf[vertex] = rank)));
  const ordered: number[][] = layers.map(() => []);
  const seen = new Uint8Array(down.length);
  for (const start of layers.flat()) {
    const stack = [start];
    while (stack.length > 0) {
      const vertex = stack.pop() as number;
      if (seen[vertex] === 1) continue;
      seen[vertex] = 1;
      ordered[rankOf[vertex]].push(vertex);
      for (let index = down[vertex].length - 1; index >= 0; index -= 1) stack.push(down[vertex][index]);
    }
  }
  return ordered;
}

/** Sorts one layer by the mean place of its neighbours. Vertices without neighbours keep their place. */
function sortByBarycentre(layer: number[], neighbours: Neighbours, place: Int32Array): void {
  const movable = layer.filter((vertex) => neighbours[vertex].length > 0);
  const barycentre = new Map<number, number>();
  for (const vertex of movable) {
    const sum = neighbours[vertex].reduce((total, neighbour) => total + place[neighbour], 0);
    barycentre.set(vertex, sum / neighbours[vertex].length);
  }
  movable.sort((a, b) => (barycentre.get(a) as number) - (barycentre.get(b) as number));
  let next = 0;
  layer.forEach((vertex, index) => {
    layer[index] = neighbours[vertex].length > 0 ? movable[next++] : vertex;
  });
  layer.forEach((vertex, index) => (place[vertex] = index));
}

/** Crossings between the edges of two vertices when `left` stands left of `right`. */
function pairCrossings(left: readonly number[], right: readonly number[], place: Int32Array): number {
  let crossings = 0;
  for (const a of left) for (const b of right) if (place[b] < place[a]) crossings += 1;
  return crossings;
}

/** Swaps neighbours as long as that removes crossings. */
function transpose({ layers, up, down }: Layering): void {
  const place = placesOf(layers, down.length);
  for (let improved = true, pass = 0; improved && pass < 8; pass += 1) {
    improved = false;
    for (const layer of layers) {
      for (let index = 0; index + 1 < layer.length; index += 1) {
        const [a, b] = [layer[index], layer[index + 1]];
        const now = pairCrossings(up[a], up[b], place) + pairCrossings(down[a], down[b], place);
        if (now === 0 || now <= pairCrossings(up[b], up[a], place) + pairCrossings(down[b], down[a], place)) continue;
        [layer[index], layer[index + 1]] = [b, a];
        [place[a], place[b]] = [index + 1, index];
        improved = true;
      }
    }
  }
}

const MOST_SWEEPS = 24;
const MOST_SWEEPS_WITHOUT_GAIN = 4;
/** Swapping compares all pairs of edges of two vertices: not for graphs with very many. */
const LARGE = 6000;

/** The layering with its layers reordered. */
export function orderLayers(layering: Layering): Layering {
  const { up, down, real } = layering;
  let current = initialOrder(layering.layers, down);
  let best = { layers: current, crossings: countCrossings({ ...layering, layers: current }) };
  const sweeps = down.length > LARGE ? MOST_SWEEPS / 4 : MOST_SWEEPS;
  for (let sweep = 0, idle = 0; sweep < sweeps && idle < MOST_SWEEPS_WITHOUT_GAIN && best.crossings > 0; sweep += 1) {
    current = current.map((layer) => layer.slice());
    const place = placesOf(current, down.length);
    if (sweep % 2 === 0)
      for (let rank = 1; rank < current.length; rank += 1) sortByBarycentre(current[rank], up, place);
    else for (let rank = current.length - 2; rank >= 0; rank -= 1) sortByBarycentre(current[rank], down, place);
    if (down.length <= LARGE) transpose({ layers: current, up, down, real });
    const crossings = countCrossings({ ...layering, layers: current });
    idle = crossings < best.crossings ? 0 : idle + 1;
    if (crossings < best.crossings) best = { layers: current, crossings };
  }
  return { ...layering, layers: best.layers };
}
