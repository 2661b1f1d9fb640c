import { beforeEach, describe, expect, test, vi } from "vitest";
import { seededRandom } from "../graph/testing";
import type { Matrix, Snapshot, Statistics } from "../types";
import { COUNTS } from "../types";
import type * as Module from "./jumps";

let firstNonfinite: typeof Module.firstNonfinite;
beforeEach(async () => {
  vi.stubGlobal("document", { baseURI: "http://localhost/" });
  vi.stubGlobal("window", { innerHeight: 1 });
  ({ firstNonfinite } = await import("./jumps"));
});

/** A run of which `broken(node, capture)` tells where it isn't finite, as the server's routes would answer. */
class FakeRun {
  readonly steps: Float64Array;
  asked = 0;

  constructor(
    readonly nodes: number,
    readonly captures: number,
    readonly broken: (node: number, capture: number) => boolean,
  ) {
    this.steps = Float64Array.from({ length: captures }, (_, capture) => 10 * capture);
  }

  matrix(columns: number): Matrix {
    const size = Math.ceil(this.captures / columns);
    const nonfinite = new Uint8Array(this.nodes * columns);
    for (let node = 0; node < this.nodes; node += 1) {
      for (let capture = 0; capture < this.captures; capture += 1) {
        if (this.broken(node, capture)) nonfinite[node * columns + Math.floor(capture / size)] = 1;
      }
    }
    const start = Float64Array.from({ length: columns }, (_, column) => 10 * column * size);
    const empty = new Float32Array(this.nodes * columns);
    const stop = start.map((first) => first + 10 * (size - 1));
    return { nodes: this.nodes, columns, low: empty, high: empty, nonfinite, start, stop };
  }

  private counts(places: readonly (readonly [number, number])[]): Float64Array {
    this.asked += 1;
    return Float64Array.from(places.flatMap(([node, capture]) => [8, this.broken(node, capture) ? 2 : 0, 0, 0]));
  }

  statistics = (node: number): Promise<Statistics> => {
    const counts = this.counts(Array.from(this.steps, (_, capture) => [node, capture] as const));
    const statistics = new Float32Array(counts.length / COUNTS);
    return Promise.resolve({ captures: this.captures, columns: 1, step: this.steps, statistics, counts });
  };

  snapshot = (step: number): Promise<Snapshot> => {
    const counts = this.counts(Array.from({ length: this.nodes }, (_, node) => [node, step / 10] as const));
    return Promise.resolve({ nodes: this.nodes, columns: 1, statistics: new Float32Array(this.nodes), counts });
  };
}

describe("the first NaN", () => {
  test("is the earliest capture, and there the first node, wherever in a column of many captures and nodes it hides", async () => {
    const random = seededRandom(3);
    for (let round = 0; round < 40; round += 1) {
      const [nodes, captures] = [60, 200];
      const from = Array.from({ length: nodes }, () => (random() < 0.7 ? Math.floor(80 + 120 * random()) : Infinity));
      const run = new FakeRun(nodes, captures, (node, capture) => capture >= from[node]);
      const earliest = Math.min(...from);
      expect(await firstNonfinite(run.matrix(20), run.steps, run)).toEqual({
        node: from.indexOf(earliest),
        step: 10 * earliest,
      });
      // 16 histories and the captures of one column at most.
      expect(run.asked).toBeLessThanOrEqual(16 + 10);
    }
  });

  test("of a run in which all is finite is none", async () => {
    const run = new FakeRun(5, 40, () => false);
    expect(await firstNonfinite(run.matrix(10), run.steps, run)).toBeNull();
  });
});
