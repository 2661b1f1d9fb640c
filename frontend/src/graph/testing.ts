/** Small models as text, for tests: `"a; b <- a; s/c Dense <- a b"` is three nodes, the third in scope `s`. */

import type { GraphNode, Kind, State } from "../types";
import type { Direction } from "./layout/nested";
import { layOutNested } from "./layout/nested";
import { layoutRequest, measureItems, type Measure } from "./boxes";
import { makeScene, type Scene } from "./scene";
import { buildScopes } from "./scopes";
import { buildVisible } from "./visible";

const STATES: Readonly<Record<string, State>> = { "?": "available", "!": "unreachable" };

/** `name[?!] [kind] [<- inputs]`: `?` marks a node as available, `!` as unreachable; a name that ends in `:var` is a variable. */
export function parseModel(text: string): GraphNode[] {
  const lines = text
    .split(/[;\n]/)
    .map((line) => line.trim())
    .filter(Boolean);
  const names = lines.map((line) => line.split(/\s/)[0].replace(/[?!]$|:var$/, ""));
  return lines.map((line, index): GraphNode => {
    const [head, inputs = ""] = line.split("<-").map((part) => part.trim());
    const first = head.split(/\s/)[0];
    const state = STATES[first.at(-1) as string] ?? "materialized";
    const kind: Kind = first.endsWith(":var") ? "variable" : "layer";
    const quantity = { state, reason: null, captures: 1, sampled: false, title: "not selected" };
    return {
      name: names[index],
      kind,
      class: "Dense",
      dtype: "float32",
      shape: [null, 8],
      trainable: null,
      activation: null,
      source: null,
      inputs: inputs
        .split(/\s+/)
        .filter(Boolean)
        .map((name) => names.indexOf(name)),
      attributes: {},
      state,
      quantities: { value: quantity, gradient: quantity },
    };
  });
}

/** Seven pixels per character, whatever the font. */
export const measureFixed: Measure = (text) => 7 * [...text].length;

export function sceneOf(
  text: string,
  open: readonly string[] | "all",
  direction: Direction = "down",
  variables = false,
  room = 0,
): Scene {
  const nodes = parseModel(text);
  const tree = buildScopes(nodes, variables);
  const paths = open === "all" ? tree.entries.map((entry) => entry.path) : open;
  const visible = buildVisible(tree, nodes, new Set(paths));
  const measured = measureItems(tree, nodes, visible, measureFixed);
  const answer = layOutNested(layoutRequest(visible, measured, direction, room));
  return makeScene(tree, nodes, visible, measured, answer);
}

/** Numbers in [0, 1) that are the same at every run (Park and Miller). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** A network of blocks in stages, with branches, residual edges and long skips: what large vision models look like. */
export function blockNetwork(size: number): string {
  const random = seededRandom(7);
  const lines = ["images"];
  const ends: string[] = [];
  let last = "images";
  for (let block = 0; lines.length < size - 2; block += 1) {
    const path = `stage${Math.floor(block / 6)}/block${block % 6}`;
    const branches: string[] = [];
    for (let branch = 0; branch < 4; branch += 1) {
      let at = last;
      for (let depth = 0; depth <= branch % 3; depth += 1) {
        for (const layer of ["conv", "relu"]) {
          lines.push(`${path}/branch${branch}_${layer}${depth} <- ${at}`);
          at = `${path}/branch${branch}_${layer}${depth}`;
        }
      }
      branches.push(at);
    }
    const skip = ends.length > 4 && random() < 0.3 ? ends[Math.floor(random() * ends.length)] : "";
    lines.push(`${path}/concat <- ${branches.join(" ")}`, `${path}/add <- ${path}/concat ${last} ${skip}`);
    last = `${path}/add`;
    ends.push(last);
  }
  lines.push(`logits <- ${last}`, "loss <- logits");
  return lines.join("\n");
}
