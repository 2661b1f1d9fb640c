import { describe, expect, test } from "vitest";
import {
  axisNames,
  defaultArrangement,
  kindsOf,
  looksLikeAttention,
  reassign,
  slicedAxes,
  type Subject,
  suits,
} from "./arrangement";

function subject(shape: readonly number[], batched: boolean, facts: Partial<Subject["node"]> = {}): Subject {
  return { shape, batched, node: { kind: "layer", class: "Layer", activation: null, attributes: {}, ...facts } };
}
const variable = { kind: "variable", class: "Variable" } as const;

describe("what a tensor is shown as", () => {
  test.each([
    ["feature maps", subject([4, 14, 14, 64], true, { class: "Conv2D" }), "images", { tile: 3, row: 1, column: 2 }],
    [
      "an image of three channels",
      subject([4, 28, 28, 3], true, { kind: "input" }),
      "images",
      { tile: 3, row: 1, column: 2 },
    ],
    ["attention", subject([4, 2, 49, 49], true), "attention", { tile: 1, row: 2, column: 3 }],
    [
      "square attention with a softmax",
      subject([4, 8, 8, 8], true, { activation: "softmax" }),
      "attention",
      { tile: 1, row: 2, column: 3 },
    ],
    [
      "queries of an attention",
      subject([4, 32, 2, 16], true, { class: "EinsumDense" }),
      "images",
      { tile: 2, row: 1, column: 3 },
    ],
    [
      "channels first",
      subject([4, 64, 14, 14], true, { class: "Conv2D", attributes: { data_format: "channels_first" } }),
      "images",
      { tile: 1, row: 2, column: 3 },
    ],
    ["a sequence", subject([4, 7, 448], true), "heat", { tile: null, row: 1, column: 2 }],
    ["vectors", subject([4, 32], true), "heat", { tile: null, row: 0, column: 1 }],
    ["one vector", subject([1, 32], true), "bars", { tile: null, row: null, column: 1 }],
    ["a number per example", subject([4], true), "bars", { tile: null, row: null, column: 0 }],
    ["a volume", subject([4, 5, 6, 7, 8], true), "images", { tile: 4, row: 2, column: 3 }],
    ["a dense kernel", subject([448, 32], false, variable), "heat", { tile: null, row: 0, column: 1 }],
    ["a convolution kernel", subject([3, 3, 32, 64], false, variable), "images", { tile: 3, row: 0, column: 1 }],
    ["a bias", subject([64], false, variable), "bars", { tile: null, row: null, column: 0 }],
    ["a scalar", subject([], false, { kind: "loss" }), "number", { tile: null, row: null, column: null }],
  ] as const)("%s", (_name, given, kind, arrangement) => {
    expect(kindsOf(given)[0]).toBe(kind);
    expect(defaultArrangement(given, kind)).toEqual(arrangement);
  });
});

test("queries are maps of positions and units, one of each head", () => {
  const queries = subject([4, 32, 2, 16], true, { class: "EinsumDense" });
  expect(axisNames(queries)).toEqual(["example", "position", "head", "unit"]);
  expect(defaultArrangement(queries, "heat")).toEqual({ tile: null, row: 1, column: 3 });
});

test("every axis has a name and exactly one part", () => {
  for (const shape of [[4, 14, 14, 64], [4, 2, 9, 9], [4, 7, 5], [4, 3], [4], [4, 2, 3, 4, 5, 6, 7]]) {
    const given = subject(shape, true);
    expect(axisNames(given)).toHaveLength(shape.length);
    for (const kind of kindsOf(given)) {
      const arrangement = defaultArrangement(given, kind);
      const used = [arrangement.tile, arrangement.row, arrangement.column].filter((axis) => axis !== null);
      expect(new Set(used).size).toBe(used.length);
      expect([...used, ...slicedAxes(shape, arrangement)].sort()).toEqual(shape.map((_, axis) => axis));
    }
  }
});

test("square feature maps are no attention, also when heights and channels happen to agree", () => {
  expect(looksLikeAttention(subject([4, 8, 8, 8], true))).toBe(false);
  expect(looksLikeAttention(subject([4, 7, 14, 14], true, { class: "MaxPooling2D" }))).toBe(false);
  expect(looksLikeAttention(subject([4, 2, 9, 9], false))).toBe(false);
});

test("a convolution that ends in a softmax gives the classes of pixels, an image each", () => {
  const classes = subject([4, 64, 64, 3], true, { class: "Conv2D", activation: "softmax" });
  expect(kindsOf(classes)[0]).toBe("images");
  expect(defaultArrangement(classes, "images")).toEqual({ tile: 3, row: 1, column: 2 });
});

test("axes are named as the field calls them", () => {
  expect(axisNames(subject([4, 14, 14, 64], true))).toEqual(["example", "row", "column", "channel"]);
  expect(axisNames(subject([4, 64, 14, 14], true, { attributes: { data_format: "channels_first" } }))).toEqual([
    "example",
    "channel",
    "row",
    "column",
  ]);
  expect(axisNames(subject([4, 2, 9, 9], true))).toEqual(["example", "head", "query", "key"]);
  expect(axisNames(subject([3, 3, 32, 64], false, variable))).toEqual(["row", "column", "input", "output"]);
});

test("an axis that takes another's part gives its own in return", () => {
  const images = { tile: 3, row: 1, column: 2 };
  expect(reassign(images, "tile", 1)).toEqual({ tile: 1, row: 3, column: 2 });
  expect(reassign(images, "row", 0)).toEqual({ tile: 3, row: 0, column: 2 });
});

test("an arrangement suits a tensor that has its axes, each once, in the parts of the view", () => {
  const usual = { tile: null, row: 1, column: 2 };
  const of = (tile: number | null, row: number | null, column: number | null): boolean =>
    suits({ tile, row, column }, usual, 4);
  expect(of(null, 3, 0)).toBe(true);
  expect([of(null, 3, 3), of(null, 1, 4), of(0, 1, 2), of(null, null, 2), of(null, NaN, 2)]).toEqual(
    Array(5).fill(false),
  );
});
