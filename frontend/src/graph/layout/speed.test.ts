/** Prints how much processor time layouts take; asserts on what does not depend on the machine: how much is drawn and how large it gets. */

import { describe, expect, it } from "vitest";
import { layoutRequest, measureItems } from "../boxes";
import { buildScopes } from "../scopes";
import { blockNetwork, measureFixed, parseModel } from "../testing";
import { buildVisible } from "../visible";
import { layOutNested, type LayoutAnswer, type LayoutRequest } from "./nested";

function requestOf(size: number, flat: boolean): LayoutRequest {
  const text = blockNetwork(size);
  const nodes = parseModel(flat ? text.replaceAll("/", "_") : text);
  const tree = buildScopes(nodes, false);
  const visible = buildVisible(tree, nodes, new Set(tree.entries.map((entry) => entry.path)));
  return layoutRequest(visible, measureItems(tree, nodes, visible, measureFixed), "down");
}

function timed(request: LayoutRequest): { answer: LayoutAnswer; first: number; best: number } {
  const times: number[] = [];
  let answer: LayoutAnswer | null = null;
  for (let turn = 0; turn < 3; turn += 1) {
    const start = process.cpuUsage();
    answer = layOutNested(request);
    times.push(process.cpuUsage(start).user / 1000);
  }
  return { answer: answer as LayoutAnswer, first: times[0], best: Math.min(...times) };
}

describe("speed of the layout", () => {
  it.each([
    [100, true],
    [500, true],
    [2000, true],
    [100, false],
    [500, false],
    [2000, false],
  ])("of %i nodes, flat: %s", { timeout: 60_000 }, (size, flat) => {
    const request = requestOf(size, flat);
    const { answer, first, best } = timed(request);
    const edges = request.edges.length / 2;
    const points = answer.points.length / 2 / (answer.offsets.length - 1);
    console.log(
      `${size} nodes ${flat ? "flat  " : "nested"}: first ${first.toFixed(0)} ms, best of 3 ${best.toFixed(0)} ms, ` +
        `${edges} edges, ${points.toFixed(1)} points each, page ${answer.boxes[2].toFixed(0)} × ${answer.boxes[3].toFixed(0)}`,
    );
    expect(answer.boxes.length).toBe(4 * request.parent.length);
    expect(answer.offsets.length - 1).toBe(edges + answer.portRoutes.length);
    // Few bends: an edge between neighbours has two points, and only the long skips of a flat graph pass many layers.
    expect(points).toBeLessThan(flat ? 24 : 6);
    // Lanes of long skips take room, yet the page doesn't grow with the square of the model.
    expect(answer.boxes[2] * answer.boxes[3]).toBeLessThan(size * (flat ? 800_000 : 250_000));
  });
});
