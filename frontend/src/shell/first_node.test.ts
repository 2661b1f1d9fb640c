// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Finding, GraphNode } from "../types";
import { firstNode } from "./first_node";

const nodes = [
  { name: "image", kind: "input", state: "materialized" },
  { name: "skipped", kind: "layer", state: "available" },
  { name: "conv", kind: "layer", state: "materialized" },
  { name: "conv/kernel", kind: "variable", state: "materialized" },
] as GraphNode[];

const finding = (node: string): Finding => ({ node }) as Finding;

test("the page opens with the node of the first finding that is in the run", () => {
  const found = [finding(""), finding("gone"), finding("conv/kernel"), finding("image")];
  expect(firstNode(nodes, found)).toBe("conv/kernel");
});

test("without one, with the first layer that has values, else with anything that has", () => {
  expect(firstNode(nodes, [])).toBe("conv");
  expect(firstNode(nodes.slice(0, 2), [])).toBe("image");
  expect(firstNode(nodes.slice(1, 2), [])).toBeNull();
});
