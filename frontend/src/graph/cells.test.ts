import { describe, expect, it } from "vitest";
import { makeScale } from "../charts/scale";
import { buildColormap } from "../colormap";
import type { Finding, Snapshot } from "../types";
import { cellText, fillOf, makeCells, marksOf, miniCells, type CellOf } from "./cells";
import { describeItem, sentenceOf } from "./describe";
import { sceneOf } from "./testing";

const SHADING = { map: "seq", scale: makeScale("linear", 0, 10) } as const;

/** One statistic per node; counts: elements, NaN, +Inf, −Inf. */
function snapshotOf(values: readonly number[], counts: readonly (readonly number[])[]): Snapshot {
  return {
    nodes: values.length,
    columns: 1,
    statistics: Float32Array.from(values),
    counts: Float64Array.from(counts.flat()),
  };
}

function cellsOf(values: readonly number[], counts: readonly (readonly number[])[], compared = false): CellOf {
  return makeCells({
    statistic: "std",
    values,
    snapshot: snapshotOf(values, counts),
    shading: SHADING,
    scalar: () => null,
    compared,
  });
}

const FINE = [8, 0, 0, 0];

describe("cells", () => {
  it("colours a number by the scale and clamps beyond its ends", () => {
    const cells = cellsOf([0, 5, 10, 99], [FINE, FINE, FINE, FINE]);
    expect([0, 1, 2, 3].map((node) => cells(node).place)).toEqual([0, 128, 255, 255]);
    expect(cells(1)).toEqual({ kind: "color", text: "5.0", place: 128 });
  });

  it("shows the value of a scalar, without a colour, where a spread is asked for", () => {
    const snapshot = snapshotOf([0, 5], [[1, 0, 0, 0], FINE]);
    const scalar = (node: number): number | null => (node === 0 ? 2.345 : null);
    const cells = makeCells({ statistic: "std", values: [0, 5], snapshot, shading: SHADING, scalar, compared: false });
    expect(cells(0)).toEqual({ kind: "scalar", text: "2.3", place: -1 });
    expect(cells(1).kind).toBe("color");
    const differences = makeCells({
      ...{ statistic: "std", values: [-1.5, NaN], snapshot, shading: SHADING, compared: true },
      scalar: (node) => [2.345, 7][node],
    });
    expect([0, 1].map(differences)).toEqual([
      { kind: "scalar", text: "−1.5", place: -1 },
      { kind: "nothing", text: "–", place: -1 },
    ]);
  });

  it("says NaN and infinity before any number, and tells nothing recorded from both", () => {
    const cells = cellsOf([1, 1, 1, 1, NaN], [[8, 2, 1, 0], [8, 0, 1, 3], [8, 0, 0, 1], [-1, 0, 0, 0], FINE]);
    expect([0, 1, 2].map((node) => cells(node).text)).toEqual(["NaN", "+Inf", "−Inf"]);
    expect([3, 4, 5].map((node) => cells(node).kind)).toEqual(["nothing", "nothing", "nothing"]);
  });

  it("writes differences with their sign", () => {
    const cells = cellsOf([0.25, -0.25, 0], [FINE, FINE, FINE], true);
    expect([0, 1, 2].map((node) => cells(node).text)).toEqual(["+0.25", "−0.25", "0"]);
  });

  it("keeps numbers within the width of a cell", () => {
    const texts = [1.84e-7, 0.054, 0.1949, 12.3, 200, 99_999, 1_605_632].map((value) => cellText("std", value));
    expect(texts).toEqual(["1.8e−7", "0.054", "0.19", "12", "200", "99,999", "1.61e6"]);
    expect(cellText("zero_fraction", 0.78)).toBe("78%");
    expect(cellText("zero_fraction", 0.001)).toBe("<1%");
    expect(cellText("zero_fraction", 0)).toBe("0%");
  });

  it("shows of each group of small cells the most extreme member, NaN before all", () => {
    const values = [5, 0, 5, 9, 5, 5, 5, 5];
    const counts = values.map((_, node) => (node === 6 ? [8, 1, 0, 0] : FINE));
    const groups = miniCells([0, 1, 2, 3, 4, 5, 6, 7], cellsOf(values, counts), 4);
    expect(groups.map((cell) => cell.text)).toEqual(["0", "9.0", "5.0", "NaN"]);
  });

  it("takes its fill from the map", () => {
    const map = buildColormap("#000000,#ffffff");
    expect(fillOf({ kind: "color", text: "", place: 255 }, map)).toBe("rgb(255,255,255)");
  });
});

describe("marks", () => {
  const finding = (
    node: string,
    severity: Finding["severity"],
    first_step: number,
    last_step: number | null,
  ): Finding => ({ node, severity, first_step, last_step }) as Finding;
  const scene = sceneOf("a; s/b <- a; s/c <- s/b; d <- s/c", []);
  const names = new Map(scene.nodes.map((node, index) => [node.name, index]));
  const markOf = (findings: readonly Finding[], step: number, path: string) =>
    marksOf(scene, names, findings, step).get(scene.visible.itemOf[scene.tree.byPath.get(path) as number]);

  it("gives a closed scope the weightiest finding inside it", () => {
    const findings = [finding("s/b", "warning", 0, null), finding("s/c", "error", 0, null)];
    expect(markOf(findings, 10, "s")).toEqual({ severity: "error", now: true });
  });

  it("puts what holds at the step before what doesn't", () => {
    const findings = [finding("a", "error", 100, null), finding("a", "note", 0, 50)];
    expect(markOf(findings, 20, "a")).toEqual({ severity: "note", now: true });
    expect(markOf(findings, 70, "a")).toEqual({ severity: "error", now: false });
    expect(markOf(findings, 50, "a")?.severity).toBe("note");
  });

  it("marks nothing for a node that isn't there", () => {
    expect(marksOf(scene, names, [finding("gone", "error", 0, null)], 0).size).toBe(0);
  });
});

describe("description", () => {
  const scene = sceneOf("in; s/a <- in; b? <- s/a", []);
  const itemAt = (path: string): number => scene.visible.itemOf[scene.tree.byPath.get(path) as number];
  const step = {
    quantity: "value",
    statistic: "std",
    value: () => 0.195,
    cell: () => ({ kind: "color", text: "0.20", place: 3 }) as const,
    compared: false,
  } as const;

  it("reads a node with its number, a scope with what is inside, and what has no value with the reason", () => {
    expect(sentenceOf(describeItem(scene, itemAt("in"), step))).toBe("in, Dense, value std 0.195, float32 [None, 8]");
    const ofLoss = { ...step, compared: true, cell: () => ({ kind: "scalar", text: "−1.5", place: -1 }) as const };
    expect(sentenceOf(describeItem(scene, itemAt("in"), ofLoss))).toContain("in, Dense, value difference −1.5, ");
    expect(sentenceOf(describeItem(scene, itemAt("s"), step))).toBe("s, scope, 1 nodes inside, closed");
    expect(sentenceOf(describeItem(scene, itemAt("b"), step))).toContain("value: not selected");
  });
});
