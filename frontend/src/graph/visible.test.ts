import { describe, expect, it } from "vitest";
import { GIVES_TO_OUTSIDE, TAKES_FROM_OUTSIDE } from "./layout/nested";
import { ancestors, buildScopes, countBelow, nodesBelow, openAtFirst } from "./scopes";
import { parseModel } from "./testing";
import { buildVisible, type VisibleGraph } from "./visible";

const MODEL = `
  image
  enc/conv <- image
  enc/conv/kernel:var
  enc/block/a <- enc/conv
  enc/block/b <- enc/block/a
  enc/block/add <- enc/block/b enc/conv
  head/dense <- enc/block/add
  head/skip <- image
  loss <- head/dense head/skip
`;

function visibleOf(text: string, open: readonly string[], variables = false) {
  const nodes = parseModel(text);
  const tree = buildScopes(nodes, variables);
  return { tree, nodes, visible: buildVisible(tree, nodes, new Set(open)) };
}

function edgeNames(
  { tree, visible }: ReturnType<typeof visibleOf>,
  of: keyof Pick<VisibleGraph, "edges" | "links">,
): string[] {
  const name = (item: number): string => tree.entries[visible.items[item].entry].path;
  return visible[of].map(({ from, to, count }) => `${name(from)} > ${name(to)} ${count}`).sort();
}

describe("scopes", () => {
  it("gives a variable no box of its own, but leads from it to its layer", () => {
    const { tree, nodes } = visibleOf(MODEL, []);
    expect(tree.byPath.has("enc/conv/kernel")).toBe(false);
    expect(tree.entries[tree.entryOf[nodes.findIndex((node) => node.kind === "variable")]].path).toBe("enc/conv");
  });

  it("shows variables inside their layer when they are asked for", () => {
    const { tree } = visibleOf(MODEL, [], true);
    const layer = tree.entries[tree.byPath.get("enc/conv") as number];
    expect(layer.children.map((id) => tree.entries[id].label)).toEqual(["kernel"]);
  });

  it("counts and lists what is below", () => {
    const { tree, nodes } = visibleOf(MODEL, []);
    const scope = tree.byPath.get("enc") as number;
    expect(countBelow(tree)[scope]).toBe(5);
    expect(nodesBelow(tree, scope).map((index) => nodes[index].name)).toEqual([
      "enc/conv",
      "enc/block/a",
      "enc/block/b",
      "enc/block/add",
    ]);
  });

  it("names the scopes to open from the outermost", () => {
    const { tree } = visibleOf(MODEL, []);
    const found = ancestors(tree, tree.byPath.get("enc/block/a") as number);
    expect(found.map((id) => tree.entries[id].path)).toEqual(["enc", "enc/block"]);
  });

  it("opens whole depths as long as few boxes are drawn", () => {
    const { tree } = visibleOf(MODEL, []);
    expect([...openAtFirst(tree, 100)]).toEqual(["enc", "head", "enc/block"]);
    expect([...openAtFirst(tree, 8)]).toEqual(["enc", "head"]);
    expect([...openAtFirst(tree, 7)]).toEqual([]);
  });

  it("takes names as they come", () => {
    const { tree } = visibleOf("/; //x; __proto__/y; a/; 😀/مرحبا", []);
    expect(tree.entries.filter((entry) => entry.node >= 0).map((entry) => entry.path)).toEqual([
      "/",
      "//x",
      "__proto__/y",
      "a/",
      "😀/مرحبا",
    ]);
  });

  it("takes a scope that is a node itself, whichever comes first", () => {
    const { tree } = visibleOf("lstm/cell; lstm <- lstm/cell", []);
    expect(tree.entries.map((entry) => [entry.path, entry.node])).toEqual([
      ["", -1],
      ["lstm", 1],
      ["lstm/cell", 0],
    ]);
  });
});

describe("visible graph", () => {
  it("joins edges between closed scopes", () => {
    expect(edgeNames(visibleOf(MODEL, []), "edges")).toEqual([
      "enc > head 1",
      "head > loss 2",
      "image > enc 1",
      "image > head 1",
    ]);
  });

  it("lifts an edge across borders to the innermost common scope", () => {
    const shown = visibleOf(MODEL, ["enc", "enc/block", "head"]);
    expect(edgeNames(shown, "edges")).toEqual([
      "enc > head 1",
      "enc/block/a > enc/block/b 1",
      "enc/block/b > enc/block/add 1",
      "enc/conv > enc/block 2",
      "head > loss 2",
      "image > enc 1",
      "image > head 1",
    ]);
    expect(edgeNames(shown, "links")).toContain("enc/block/add > head/dense 1");
  });

  it("marks what takes from and gives to the outside of each scope on the way", () => {
    const { tree, visible } = visibleOf(MODEL, ["enc", "enc/block", "head"]);
    const ports = Object.fromEntries(
      visible.items.map((item, index) => [tree.entries[item.entry].path, visible.ports[index]]),
    );
    expect(ports).toMatchObject({
      "enc/conv": TAKES_FROM_OUTSIDE,
      "enc/block": GIVES_TO_OUTSIDE,
      "enc/block/a": TAKES_FROM_OUTSIDE,
      "enc/block/add": TAKES_FROM_OUTSIDE | GIVES_TO_OUTSIDE,
      enc: 0,
      image: 0,
    });
  });

  it("holds every edge of the model in links, a loop or one closed scope", () => {
    for (const open of [[], ["enc"], ["enc", "enc/block"], ["enc", "enc/block", "head"]]) {
      const { nodes, tree, visible } = visibleOf(MODEL, open);
      const inside = nodes.flatMap((node, to) =>
        node.inputs.filter((from) => visible.itemOf[tree.entryOf[from]] === visible.itemOf[tree.entryOf[to]]),
      );
      const linked = visible.links.reduce((sum, link) => sum + link.count, 0);
      expect(linked + inside.length).toBe(nodes.reduce((sum, node) => sum + node.inputs.length, 0));
    }
  });

  it("keeps a loop, and drops inputs that don't exist", () => {
    const nodes = parseModel("a <- a; b <- a");
    const broken = nodes.map((node) => ({ ...node, inputs: [...node.inputs, 99, -1] }));
    const visible = buildVisible(buildScopes(broken, false), broken, new Set());
    expect(visible.loops).toEqual([1]);
    expect(visible.edges.map(({ from, to, count }) => [from, to, count])).toEqual([[1, 2, 1]]);
  });

  it("draws no edge between a scope and what is inside it, but says where values leave it", () => {
    const { tree, visible } = visibleOf("in; lstm/cell <- in; lstm <- lstm/cell", ["lstm"]);
    expect(edgeNames({ tree, visible, nodes: [] }, "edges")).toEqual(["in > lstm 1"]);
    expect(visible.ports[visible.itemOf[tree.byPath.get("lstm/cell") as number]]).toBe(
      TAKES_FROM_OUTSIDE | GIVES_TO_OUTSIDE,
    );
  });

  it("counts the edges along which a gradient flows back", () => {
    const nodes = parseModel("a; b! <- a; c <- a b");
    const visible = buildVisible(buildScopes(nodes, false), nodes, new Set());
    expect(visible.edges.map(({ from, to, gradients }) => [from, to, gradients])).toEqual([
      [1, 2, 1],
      [1, 3, 1],
      [2, 3, 0],
    ]);
  });
});
