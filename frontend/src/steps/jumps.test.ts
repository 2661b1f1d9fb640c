// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { seededRandom } from "../graph/testing";
import type { Finding, Matrix, RunSummary } from "../types";
import { compareRun, live, node, quantity, receiveRuns, run, setCompareRun, wantedStep } from "../state";
import { findingBeside, findingId, firstNonfinite, goToFinding } from "./jumps";

/** What the server says of the steps from `first` to `last` of a run that is not finite where `broken` says so. */
function matrixOf(
  size: { readonly nodes: number; readonly captures: number; readonly columns: number },
  broken: (node: number, capture: number) => boolean,
  [first, last]: readonly [number, number],
): Matrix {
  const captures = Array.from({ length: size.captures }, (_, index) => index).filter(
    (index) => 10 * index >= first && 10 * index <= last,
  );
  const each = Math.ceil(captures.length / size.columns);
  const parts = Array.from({ length: Math.ceil(captures.length / each) }, (_, at) =>
    captures.slice(at * each, (at + 1) * each),
  );
  const empty = new Float32Array(size.nodes * parts.length);
  return {
    nodes: size.nodes,
    columns: parts.length,
    low: empty,
    high: empty,
    nonfinite: Uint8Array.from(empty, (_, at) =>
      Number(parts[at % parts.length].some((capture) => broken(Math.floor(at / parts.length), capture))),
    ),
    start: Float64Array.from(parts, (part) => 10 * part[0]),
    stop: Float64Array.from(parts, (part) => 10 * part[part.length - 1]),
  };
}

describe("the first NaN", () => {
  test("is the earliest capture, and there the first node, wherever in a column of many captures and nodes it hides", async () => {
    const random = seededRandom(3);
    const size = { nodes: 40, captures: 300, columns: 8 };
    for (let round = 0; round < 30; round += 1) {
      const from = Array.from({ length: size.nodes }, () =>
        random() < 0.7 ? Math.floor(80 + 120 * random()) : Infinity,
      );
      const earliest = Math.min(...from);
      let asked = 0;
      const found = await firstNonfinite((first = 0, last = Infinity) => {
        asked += 1;
        return Promise.resolve(matrixOf(size, (node, capture) => capture >= from[node], [first, last]));
      });
      expect(found).toEqual({ node: from.indexOf(earliest), step: 10 * earliest });
      expect(asked).toBeLessThanOrEqual(3);
    }
  });

  test("of a run in which all is finite is none", async () => {
    const matrix = matrixOf({ nodes: 5, captures: 40, columns: 10 }, () => false, [0, Infinity]);
    expect(await firstNonfinite(() => Promise.resolve(matrix))).toBeNull();
  });
});

describe("the next finding", () => {
  const finding = (rule: string, node: string, step: number): Finding =>
    ({ rule, node, quantity: "value", first_step: step }) as Finding;
  const all = [
    finding("loss", "", 0),
    finding("a", "x", 5),
    finding("b", "x", 5),
    finding("c", "y", 5),
    finding("a", "x", 9),
  ];

  /** The first `times` rules that one comes by, going on from `node` and `step` as `n` or `p` do. */
  function walk(direction: 1 | -1, node: string | null, step: number, times: number): string[] {
    const rules: string[] = [];
    let here = { visited: "", node, step };
    for (let count = 0; count < times; count += 1) {
      const next = findingBeside(all, here, direction);
      if (next === undefined) break;
      rules.push(`${next.rule} ${next.first_step}`);
      here = { visited: findingId(next), node: next.node === "" ? here.node : next.node, step: next.first_step };
    }
    return rules;
  }

  test("comes by every finding once, also by several at one node and step, and by those of the whole run", () => {
    expect(walk(1, null, 0, 5)).toEqual(["loss 0", "a 5", "b 5", "c 5", "a 9"]);
    expect(walk(-1, null, 20, 5)).toEqual(["a 9", "c 5", "b 5", "a 5", "loss 0"]);
  });

  test("after the last comes the first, also from the last step, at which the page stands while it follows", () => {
    expect(walk(1, "x", 9, 2)).toEqual(["loss 0", "a 5"]);
    expect(walk(1, "y", 20, 2)).toEqual(["loss 0", "a 5"]);
    expect(walk(-1, null, 0, 2)).toEqual(["loss 0", "a 9"]);
    expect(findingBeside([], { visited: "", node: null, step: 20 }, 1)).toBeUndefined();
  });

  test("goes on from where the user is", () => {
    expect(walk(1, "y", 5, 1)).toEqual(["a 9"]);
    expect(walk(1, "elsewhere", 6, 1)).toEqual(["a 9"]);
    expect(walk(-1, "elsewhere", 6, 4)).toEqual(["c 5", "b 5", "a 5", "loss 0"]);
  });
});

test("a finding of the run that is compared leads to that run, and what was on screen is what it is compared with", () => {
  const runs = ["a", "b"].map((name) => ({ run: name, version: "1", first_step: 0, last_step: 90 }) as RunSummary);
  receiveRuns({ runs, logdir: "", problem: null, first_steps: null });
  setCompareRun("b");
  goToFinding({ rule: "r", node: "x", quantity: "gradient", first_step: 35 } as Finding, "b");
  expect([run, compareRun, node, quantity, wantedStep, live].map((each) => each.value)).toEqual([
    ...["b", "a", "x", "gradient", 35, false],
  ]);
});
