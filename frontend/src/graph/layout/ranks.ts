/**
 * First third of the layered layout: which edges to turn round so that no cycle is left, and the rank (layer) of every vertex.
 *
 * The one invariant: for every edge that `breakCycles` returns, `assignRanks` gives `rank[from] < rank[to]`. Both walk iteratively, since a chain of
 * 10,000 layers would overflow the stack, and both depend on the order of their input only: the same graph always looks the same.
 */

export interface Edge {
  readonly from: number;
  readonly to: number;
}

/** Edges leaving (or, with `end` "to", entering) each vertex, as indices into `edges`. */
export function incidence(count: number, edges: readonly Edge[], end: "from" | "to"): number[][] {
  const lists: number[][] = Array.from({ length: count }, () => []);
  edges.forEach((edge, index) => lists[edge[end]].push(index));
  return lists;
}

/** The same edges in the same order, with those that close a cycle turned round. Self-loops must not be among them. */
export function breakCycles(count: number, edges: readonly Edge[]): Edge[] {
  const leaving = incidence(count, edges, "from");
  const entered = new Uint8Array(count);
  for (const edge of edges) entered[edge.to] = 1;
  const acyclic = edges.slice();
  const seen = new Uint8Array(count);
  const onPath = new Uint8Array(count);
  const next = new Int32Array(count);
  const walk = (start: number): void => {
    const path = [start];
    seen[start] = onPath[start] = 1;
    while (path.length > 0) {
      const vertex = path[path.length - 1];
      if (next[vertex] === leaving[vertex].length) {
        onPath[vertex] = 0;
        path.pop();
        continue;
      }
      const index = leaving[vertex][next[vertex]++];
      const { to } = edges[index];
      if (onPath[to] === 1) acyclic[index] = { from: to, to: vertex };
      else if (seen[to] === 0) {
        seen[to] = onPath[to] = 1;
        path.push(to);
      }
    }
  };
  // From the inputs of the model first: then the edge that is turned is the one that leads back, not one of the way forward.
  for (let vertex = 0; vertex < count; vertex += 1) if (entered[vertex] === 0) walk(vertex);
  for (let vertex = 0; vertex < count; vertex += 1) if (seen[vertex] === 0) walk(vertex);
  return acyclic;
}

function topologicalOrder(count: number, edges: readonly Edge[], leaving: readonly number[][]): number[] {
  const open = new Int32Array(count);
  for (const edge of edges) open[edge.to] += 1;
  const order: number[] = [];
  for (let vertex = 0; vertex < count; vertex += 1) if (open[vertex] === 0) order.push(vertex);
  for (let index = 0; index < order.length; index += 1) {
    for (const edge of leaving[order[index]]) if ((open[edges[edge].to] -= 1) === 0) order.push(edges[edge].to);
  }
  return order;
}

const MOST_PASSES = 12;
const SMALL = 64;

/**
 * Longest path from the sources, then tightened: a vertex with at least as many edges down as up moves down to its consumers, one with more edges up
 * moves up, until nothing moves. So a weight, a mask or a second input stands next to what uses it, not at the top of the page, and of two ends
 * that an edge could be long at, it is long at its source, where the edges of one source share a lane. In a small graph, where lanes are few, branches
 * begin side by side instead.
 */
export function assignRanks(count: number, edges: readonly Edge[]): Int32Array {
  const leaving = incidence(count, edges, "from");
  const entering = incidence(count, edges, "to");
  const order = topologicalOrder(count, edges, leaving);
  const rank = new Int32Array(count);
  for (const vertex of order) {
    for (const edge of leaving[vertex]) {
      const { to } = edges[edge];
      rank[to] = Math.max(rank[to], rank[vertex] + 1);
    }
  }
  const backwards = order.slice().reverse();
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    let moved = false;
    for (const vertex of backwards) {
      if (leaving[vertex].length === 0 || leaving[vertex].length < entering[vertex].length) continue;
      const lowest = leaving[vertex].reduce((least, edge) => Math.min(least, rank[edges[edge].to]), Infinity) - 1;
      moved ||= lowest > rank[vertex];
      rank[vertex] = lowest;
    }
    for (const vertex of order) {
      if (entering[vertex].length <= leaving[vertex].length) continue;
      const highest = highestFree(entering[vertex], edges, rank);
      moved ||= highest < rank[vertex];
      rank[vertex] = highest;
    }
    if (!moved) break;
  }
  if (count <= SMALL) raiseTies(order, edges, leaving, entering, rank);
  return normalized(rank);
}

/** What had no preference went down; where its sources have stayed behind, it goes back to them. */
function raiseTies(
  order: readonly number[],
  edges: readonly Edge[],
  leaving: readonly number[][],
  entering: readonly number[][],
  rank: Int32Array,
): void {
  for (const vertex of order) {
    if (entering[vertex].length === 0 || entering[vertex].length !== leaving[vertex].length) continue;
    rank[vertex] = highestFree(entering[vertex], edges, rank);
  }
}

/** The rank below the lowest of a vertex's sources. */
function highestFree(entering: readonly number[], edges: readonly Edge[], rank: Int32Array): number {
  return entering.reduce((most, edge) => Math.max(most, rank[edges[edge].from]), -1) + 1;
}

function normalized(rank: Int32Array): Int32Array {
  const least = rank.reduce((lowest, value) => Math.min(lowest, value), Infinity);
  return least === Infinity ? rank : rank.map((value) => value - least);
}
