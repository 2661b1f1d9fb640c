import { describe, expect, test } from "vitest";
import type { GraphNode } from "../types";
import { ancestorsOf, buildTree, opened, sortedRows, treeRows } from "./tree";
import type { Row, TreeItem } from "./tree";

/** Names, one a line; nothing else of a node matters to the tree. */
function nodesOf(text: string): GraphNode[] {
  return text
    .trim()
    .split(/\s+/)
    .map((name) => ({ name }) as GraphNode);
}

/** Rows as a drawing: indented labels, `+` closed, `-` open, scopes with `/` and the number of nodes below. */
function draw(rows: readonly Row[]): string[] {
  const sign = (row: Row): string => (row.item.children.length === 0 ? " " : row.open ? "-" : "+");
  const label = (item: TreeItem): string => (item.index < 0 ? `${item.label}/${item.below}` : item.label);
  return rows.map(
    (row) => `${"  ".repeat(row.item.depth)}${sign(row)}${label(row.item)}${row.context ? " (context)" : ""}`,
  );
}

const MODEL = nodesOf(
  "image enc/conv enc/conv/kernel enc/conv/bias enc/block/relu head/dense head/dense/kernel loss enc/late",
);
const tree = buildTree(MODEL);

test("scopes start open, nodes with variables start closed, order is that of the first appearance", () => {
  expect(draw(treeRows(tree, new Set(), null))).toEqual([
    " image",
    "-enc/5",
    "  +conv",
    "  -block/1",
    "     relu",
    "   late",
    "-head/2",
    "  +dense",
    " loss",
  ]);
});

test("what is toggled is the other way round", () => {
  expect(draw(treeRows(tree, new Set(["enc/conv", "enc/block", "head"]), null))).toEqual([
    " image",
    "-enc/5",
    "  -conv",
    "     kernel",
    "     bias",
    "  +block/1",
    "   late",
    "+head/2",
    " loss",
  ]);
});

test("a filter shows matches and what leads to them, whatever was closed", () => {
  const matches = (index: number): boolean => MODEL[index].name.includes("kernel");
  expect(draw(treeRows(tree, new Set(["enc"]), matches))).toEqual([
    "-enc/5 (context)",
    "  -conv (context)",
    "     kernel",
    "-head/2 (context)",
    "  -dense (context)",
    "     kernel",
  ]);
});

test("a node that matches without its variables is not open", () => {
  const matches = (index: number): boolean => MODEL[index].name === "head/dense";
  expect(draw(treeRows(tree, new Set(), matches))).toEqual(["-head/2 (context)", "  +dense"]);
});

test("a filter that nothing passes leaves no row", () => {
  expect(treeRows(tree, new Set(), () => false)).toEqual([]);
});

test("hostile names are paths like any other", () => {
  const odd = buildTree(nodesOf("__proto__ constructor/toString <img/src=x> a//b"));
  const paths: string[] = [];
  const collect = (item: TreeItem): void => {
    paths.push(item.path);
    item.children.forEach(collect);
  };
  odd.forEach(collect);
  expect(paths).toEqual(["__proto__", "constructor", "constructor/toString", "<img", "<img/src=x>", "a", "a/", "a//b"]);
});

describe("sorting", () => {
  const order = Float64Array.from([1, NaN, 3, -5, 3, NaN, 0, Infinity, 2]);
  const names = (rows: readonly Row[]): number[] => rows.map((row) => row.item.index);

  test("largest first; equal ones and missing ones in execution order, missing ones last", () => {
    expect(names(sortedRows(MODEL, order, true, null))).toEqual([7, 2, 4, 8, 0, 6, 3, 1, 5]);
  });

  test("smallest first; missing ones still last", () => {
    expect(names(sortedRows(MODEL, order, false, null))).toEqual([3, 6, 0, 8, 2, 4, 7, 1, 5]);
  });

  test("only what passes the filter, by its full name", () => {
    const rows = sortedRows(MODEL, order, true, (index) => index > 6);
    expect(rows.map((row) => row.item.label)).toEqual(["loss", "enc/late"]);
  });
});

test("what is above a path, the outermost first", () => {
  expect(ancestorsOf("a/b/c")).toEqual(["a", "a/b"]);
  expect(ancestorsOf("a")).toEqual([]);
});

test("opening the way to a node opens closed scopes and closed layers, and nothing else", () => {
  const isNode = (path: string): boolean => MODEL.some((node) => node.name === path);
  const toggled = new Set(["enc", "head"]);
  expect([...opened("enc/conv/kernel", toggled, isNode)].sort()).toEqual(["enc/conv", "head"]);
  expect(opened("loss", toggled, isNode)).toBe(toggled);
});

test("10,000 nodes become rows in one go, each once", () => {
  const many = nodesOf(Array.from({ length: 10_000 }, (_, index) => `block${index % 100}/layer${index}`).join(" "));
  const rows = treeRows(buildTree(many), new Set(), null);
  expect(rows).toHaveLength(10_100);
  expect(new Set(rows.map((row) => row.item.path)).size).toBe(10_100);
});
