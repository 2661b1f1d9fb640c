import { describe, expect, it } from "vitest";
import { seededRandom } from "../testing";
import { layOutComponents } from "./components";
import { layOutFlow, type FlowGraph, type FlowLayout } from "./layered";
import { countCrossings, orderLayers, type Layering } from "./order";
import { assignRanks, breakCycles, type Edge } from "./ranks";

function flowGraph(count: number, edges: readonly Edge[], seed = 1): FlowGraph {
  const random = seededRandom(seed);
  const sizes = (least: number, most: number): number[] =>
    Array.from({ length: count }, () => Math.round(least + random() * (most - least)));
  return { across: sizes(40, 160), along: sizes(20, 60), edges, entry: -1, exit: -1 };
}

function randomEdges(count: number, wanted: number, seed: number, backwards = 0): Edge[] {
  const random = seededRandom(seed);
  return Array.from({ length: wanted }, () => {
    const [a, b] = [Math.floor(random() * count), Math.floor(random() * count)];
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    return random() < backwards ? { from: to, to: from } : { from, to };
  }).filter(({ from, to }) => from !== to);
}

function overlaps(graph: FlowGraph, layout: FlowLayout): number {
  let found = 0;
  for (let a = 0; a < graph.across.length; a += 1) {
    for (let b = a + 1; b < graph.across.length; b += 1) {
      const apart =
        Math.abs(layout.across[a] - layout.across[b]) >= (graph.across[a] + graph.across[b]) / 2 ||
        Math.abs(layout.along[a] - layout.along[b]) >= (graph.along[a] + graph.along[b]) / 2;
      if (!apart) found += 1;
    }
  }
  return found;
}

/** Points of a route's curves, sampled finely. A curve has its control points half way along the flow. */
function sampled(route: readonly number[]): [number, number][] {
  const points: [number, number][] = [];
  for (let at = 2; at < route.length; at += 2) {
    const [a0, l0, a1, l1] = route.slice(at - 2, at + 2);
    for (let step = 0; step <= 20; step += 1) {
      const t = step / 20;
      points.push([a0 + (a1 - a0) * (3 * t * t - 2 * t * t * t), l0 + (l1 - l0) * (1.5 * t * (1 - t) + t * t * t)]);
    }
  }
  return points;
}

/** Does a route run through a vertex that is none of its ends? */
function crossesVertex(graph: FlowGraph, layout: FlowLayout, edge: number): boolean {
  const { from, to } = graph.edges[edge];
  return sampled(layout.routes[edge]).some(([across]: [number, number], index, all) =>
    graph.across.some((width, vertex) => {
      if (vertex === from || vertex === to) return false;
      const inside = Math.abs(across - layout.across[vertex]) < width / 2 - 0.51;
      return inside && Math.abs(all[index][1] - layout.along[vertex]) < graph.along[vertex] / 2 - 0.51;
    }),
  );
}

describe("ranks", () => {
  it("puts every vertex below its sources, whatever the cycles", () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const edges = breakCycles(60, randomEdges(60, 120, seed, 0.2));
      const rank = assignRanks(60, edges);
      expect(edges.every(({ from, to }) => rank[from] < rank[to])).toBe(true);
      expect(Math.min(...rank)).toBe(0);
    }
  });

  it("turns the edge that leads back, not one of the way forward", () => {
    const edges = [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 1 },
    ];
    expect(breakCycles(3, edges)).toEqual([edges[0], edges[1], { from: 1, to: 2 }]);
  });

  it("stands a second input next to what uses it, with the chain that leads there", () => {
    // 0 → 1 → 2 → 3 → 4, and 5 → 6 → 4.
    const chain = [0, 1, 2, 3].map((from) => ({ from, to: from + 1 }));
    const rank = assignRanks(7, [...chain, { from: 5, to: 6 }, { from: 6, to: 4 }]);
    expect([...rank]).toEqual([0, 1, 2, 3, 4, 2, 3]);
  });

  it("survives a chain longer than the stack", () => {
    const edges = Array.from({ length: 30_000 }, (_, from) => ({ from, to: from + 1 }));
    const rank = assignRanks(30_001, breakCycles(30_001, edges));
    expect(rank[30_000]).toBe(30_000);
  });
});

describe("order", () => {
  function randomLayering(seed: number): Layering {
    const random = seededRandom(seed);
    const layers = [0, 1, 2, 3].map((rank) => Array.from({ length: 8 }, (_, index) => 8 * rank + index));
    const up: number[][] = Array.from({ length: 32 }, () => []);
    const down: number[][] = Array.from({ length: 32 }, () => []);
    for (let edge = 0; edge < 40; edge += 1) {
      const from = Math.floor(random() * 24);
      const to = 8 * (Math.floor(from / 8) + 1) + Math.floor(random() * 8);
      down[from].push(to);
      up[to].push(from);
    }
    return { layers, up, down, real: 32 };
  }

  function bruteCrossings({ layers, down }: Layering): number {
    const place = new Map(layers.flatMap((layer) => layer.map((vertex, index) => [vertex, index] as const)));
    const at = (vertex: number): number => place.get(vertex) as number;
    let crossings = 0;
    for (const layer of layers) {
      const edges = layer.flatMap((from) => down[from].map((to) => [at(from), at(to)]));
      edges.forEach(([a, b], index) => {
        for (const [c, d] of edges.slice(index + 1)) if ((a - c) * (b - d) < 0) crossings += 1;
      });
    }
    return crossings;
  }

  it("counts crossings as comparing all pairs does", () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const layering = randomLayering(seed);
      expect(countCrossings(layering)).toBe(bruteCrossings(layering));
    }
  });

  it("keeps the vertices of each layer and never adds crossings", () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const layering = randomLayering(seed);
      const ordered = orderLayers(layering);
      expect(ordered.layers.map((layer) => layer.slice().sort((a, b) => a - b))).toEqual(layering.layers);
      expect(countCrossings(ordered)).toBeLessThanOrEqual(countCrossings(layering));
    }
  });

  it("untangles what can be drawn without crossings", () => {
    const edges = [
      [0, 5],
      [1, 4],
      [2, 3],
    ];
    const up: number[][] = Array.from({ length: 6 }, () => []);
    const down: number[][] = Array.from({ length: 6 }, () => []);
    for (const [from, to] of edges) [down[from], up[to]] = [[to], [from]];
    expect(
      countCrossings(
        orderLayers({
          layers: [
            [0, 1, 2],
            [3, 4, 5],
          ],
          up,
          down,
          real: 6,
        }),
      ),
    ).toBe(0);
  });
});

describe("layered layout", () => {
  it("overlaps no vertices, runs no edge through one, and leads every edge down", () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const graph = flowGraph(40, randomEdges(40, 60, seed), seed);
      const layout = layOutComponents(graph, 1.6);
      expect(overlaps(graph, layout)).toBe(0);
      graph.edges.forEach(({ from, to }, edge) => {
        expect(layout.along[from] + graph.along[from] / 2).toBeLessThanOrEqual(layout.along[to] - graph.along[to] / 2);
        expect(crossesVertex(graph, layout, edge)).toBe(false);
      });
    }
  });

  it("begins and ends every route at the borders of its vertices, also those of cycles", () => {
    const graph = flowGraph(30, randomEdges(30, 50, 3, 0.3), 3);
    const layout = layOutComponents(graph, 1.6);
    graph.edges.forEach(({ from, to }, edge) => {
      const route = layout.routes[edge];
      const ends = [route.slice(0, 2), route.slice(-2)];
      [from, to].forEach((vertex, end) => {
        expect(ends[end][0]).toBeCloseTo(layout.across[vertex], 5);
        expect(Math.abs(ends[end][1] - layout.along[vertex])).toBeCloseTo(graph.along[vertex] / 2, 5);
      });
    });
  });

  it("stays within its extents and begins at 0", () => {
    const graph = flowGraph(50, randomEdges(50, 45, 5), 5);
    const layout = layOutComponents(graph, 1.6);
    graph.across.forEach((width, vertex) => {
      expect(layout.across[vertex] - width / 2).toBeGreaterThanOrEqual(-0.5);
      expect(layout.across[vertex] + width / 2).toBeLessThanOrEqual(layout.acrossExtent + 0.5);
      expect(layout.along[vertex] - graph.along[vertex] / 2).toBeGreaterThanOrEqual(-0.5);
      expect(layout.along[vertex] + graph.along[vertex] / 2).toBeLessThanOrEqual(layout.alongExtent + 0.5);
    });
  });

  it("gives the same picture for the same graph", () => {
    const graph = flowGraph(40, randomEdges(40, 70, 9, 0.1), 9);
    expect(layOutComponents(graph, 1.6)).toEqual(layOutComponents(graph, 1.6));
  });

  it("draws a chain as one straight line", () => {
    const edges = Array.from({ length: 9 }, (_, from) => ({ from, to: from + 1 }));
    const { across } = layOutFlow(flowGraph(10, edges));
    expect(Math.max(...across) - Math.min(...across)).toBeLessThanOrEqual(1);
  });

  it("keeps the main way straight beside a residual edge", () => {
    const edges = [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 3 },
      { from: 0, to: 3 },
    ];
    const { across } = layOutFlow({ across: [80, 80, 80, 80], along: [30, 30, 30, 30], edges, entry: -1, exit: -1 });
    expect(Math.max(...across) - Math.min(...across)).toBeLessThanOrEqual(1);
  });

  it("puts vertices without edges into a grid, not into one endless row", () => {
    const graph = flowGraph(400, []);
    const { acrossExtent, alongExtent } = layOutComponents(graph, 1.6);
    expect(acrossExtent / alongExtent).toBeGreaterThan(0.8);
    expect(acrossExtent / alongExtent).toBeLessThan(3);
  });

  it("stays small when every vertex feeds the last one", () => {
    const count = 2000;
    const edges = Array.from({ length: count - 1 }, (_, from) => from).flatMap((from) =>
      from === count - 2
        ? [{ from, to: count - 1 }]
        : [
            { from, to: from + 1 },
            { from, to: count - 1 },
          ],
    );
    const graph = flowGraph(count, edges);
    const layout = layOutFlow(graph);
    expect(layout.routes.every((route) => route.length >= 4)).toBe(true);
    expect(layout.alongExtent).toBeGreaterThan(0);
  });
});
