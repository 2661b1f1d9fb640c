// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { historyOf, isEmpty } from "../charts/history";
import { choicesOf } from "../charts/lanes";
import type { GraphNode, Value } from "../types";
import { sortedOrder } from "./bars_picture";
import { layoutOf } from "./body";
import { elementAt } from "../tensor/plane";
import { imageInput } from "./input_thumb";
import {
  commonColoring,
  deadTiles,
  indexAt,
  indexLabel,
  reachOf,
  type Scene,
  scenePlane,
  sceneOf,
  type SceneRequest,
  shownTensor,
  type Side,
  tileCount,
} from "./scene";
import { planeTable } from "./plane_table";
import { axisKinds, example, exampleCount, moveExample, perQuantityLink } from "./state";
import { stripItems } from "./strip";

function nodeOf(facts: Partial<GraphNode>): GraphNode {
  return {
    name: "node",
    kind: "layer",
    class: "Conv2D",
    dtype: "float32",
    shape: null,
    trainable: null,
    activation: null,
    source: null,
    inputs: [],
    attributes: {},
    state: "materialized",
    quantities: {},
    ...facts,
  };
}

function valueOf(shape: readonly number[], batched = true): Value {
  const length = shape.reduce((product, extent) => product * extent, 1);
  const data = Float32Array.from({ length }, (_, index) => index);
  return {
    dtype: "F32",
    shape,
    data,
    bytes: new Uint8Array(data.buffer),
    elements: length,
    batch_axis: batched ? 0 : null,
    strides: shape.map(() => 1),
  };
}

const REQUEST: SceneRequest = {
  node: nodeOf({}),
  quantity: "value",
  step: 10,
  value: valueOf([3, 4, 4, 5]),
  subtrahend: null,
  wanted: null,
  arrangements: {},
  index: [],
  example: 0,
  tile: 0,
  extent: "steps",
  squareRoot: null,
  history: null,
  histogram: null,
  beside: null,
};
const scene = (request: Partial<SceneRequest> = {}): Scene => {
  const made = sceneOf({ ...REQUEST, ...request });
  if (made === undefined) throw new Error("Expected a scene.");
  return made;
};

describe("a scene", () => {
  test("shows each channel of the chosen example", () => {
    const made = scene({ example: 2 });
    expect(tileCount(made)).toBe(5);
    const plane = scenePlane(made, 3);
    // numpy: arange(240).reshape(3, 4, 4, 5)[2, 1, 2, 3]
    expect(plane.data[plane.offset + plane.rowStride + 2 * plane.columnStride]).toBe(2 * 80 + 1 * 20 + 2 * 5 + 3);
    expect(indexAt(made, 3, 1, 2)).toEqual([2, 1, 2, 3]);
  });
  test("as a heat map is the chosen channel of the chosen example", () => {
    const made = scene({ wanted: "heat", example: 1, tile: 3 });
    const plane = scenePlane(made);
    expect([plane.rows, plane.columns]).toEqual([4, 4]);
    // numpy: arange(240).reshape(3, 4, 4, 5)[1, 2, 1, 3]
    expect(elementAt(plane, 2, 1)).toBe(1 * 80 + 2 * 20 + 1 * 5 + 3);
    expect(indexAt(made, 0, 2, 1)).toEqual([1, 2, 1, 3]);
    // A kernel's filter is its last axis.
    const kernel = { node: nodeOf({ kind: "variable" }), value: valueOf([2, 2, 3, 4], false) };
    expect(scene({ ...kernel, wanted: "table", tile: 2 }).index).toEqual([0, 0, 0, 2]);
    expect(scene({ ...kernel, wanted: "table", tile: 9 }).index).toEqual([0, 0, 0, 3]);
  });
  test("of which every second row and third column was kept has the places of the whole tensor", () => {
    const value = { ...valueOf([3, 4, 4, 5]), strides: [1, 2, 3, 1] };
    const made = scene({ value, wanted: "heat", example: 1, tile: 3 });
    const plane = scenePlane(made);
    // numpy: what lies at [1, 2 * 2, 3 * 3, 3] of the tensor is at [1, 2, 3, 3] of the sample.
    expect(elementAt(plane, 2, 3)).toBe(1 * 80 + 2 * 20 + 3 * 5 + 3);
    expect(indexAt(made, 0, 2, 3)).toEqual([1, 4, 9, 3]);
    const table = planeTable(scene({ value, wanted: "table" }));
    expect([table.rowHead(2), table.columnHead(3), table.cell(2, 3)]).toEqual(["4", "column 9", 55]);
    expect([indexLabel(made)("row", 2), indexLabel(made)("column", 2)]).toEqual(["4", "6"]);
  });
  test("beside another has the colours of both", () => {
    const [small, large] = [valueOf([1, 2, 2, 2]), valueOf([1, 2, 2, 2])];
    large.data.fill(50, 3);
    const side = (value: Value): Side => ({ history: null, histogram: null, value });
    const pair = [
      scene({ value: small, extent: "step", beside: side(large) }),
      scene({ value: large, extent: "step", beside: side(small) }),
    ];
    for (const each of pair) expect(commonColoring(each).scale).toMatchObject({ low: 0, high: 50 });
    // Bars of both reach over the same numbers, too, of the step or of all.
    for (const each of pair) expect(reachOf(each)).toEqual({ low: 0, high: 50 });
    const facts = { captures: 1, columns: 2, step: Float64Array.of(0), counts: Float64Array.of(8, 0, 0, 0) };
    const history = historyOf({ ...facts, statistics: Float32Array.of(-90, 70) }, ["min", "max"]);
    expect(reachOf(scene({ value: small, beside: { ...side(large), history } }))).toEqual({ low: -90, high: 70 });
    expect(commonColoring(scene({ value: small, extent: "step" })).scale.high).toBe(7);
  });
  test("is not made of a tensor without elements", () => {
    expect(sceneOf({ ...REQUEST, value: valueOf([4, 0]) })).toBeUndefined();
  });
  test("keeps an example that this node doesn't have inside", () => {
    expect(scene({ example: 99 }).index[0]).toBe(2);
  });
  test("passes over a view that the tensor can't be shown as", () => {
    expect(scene({ wanted: "attention" }).kind).toBe("images");
    expect(scene({ wanted: "table" }).kind).toBe("table");
  });
  test("of a difference is signed, scaled to itself, and needs equal shapes", () => {
    const made = scene({ subtrahend: { ...valueOf([3, 4, 4, 5]), data: new Float32Array(240).fill(100) } });
    expect(made.isDifference).toBe(true);
    expect(made.extent).toBe("step");
    expect(commonColoring(made)).toMatchObject({ map: "div", scale: { low: -139, high: 139 } });
    expect(sceneOf({ ...REQUEST, subtrahend: valueOf([3, 4, 4, 6]) })).toBeUndefined();
  });
  test("of a softmax is coloured by square root unless the user says otherwise", () => {
    const attention = { node: nodeOf({ class: "Softmax" }), value: valueOf([2, 2, 3, 3]) };
    expect(commonColoring(scene(attention)).scale.kind).toBe("sqrt");
    expect(commonColoring(scene({ ...attention, squareRoot: false })).scale.kind).toBe("linear");
  });
  test("knows its dead channels", () => {
    const value = valueOf([1, 2, 2, 2]);
    value.data.fill(0);
    value.data[1] = 4;
    expect(deadTiles(scene({ value }))).toEqual([true, false]);
  });
});

test("a file holds what is shown: the sample as it was kept, or the difference in float64", () => {
  const value = valueOf([3, 4, 4, 5]);
  expect(shownTensor(sceneOf({ ...REQUEST, value })!)).toBe(value);
  const subtrahend = { ...value, data: value.data.map((each) => each / 4) };
  const { dtype, shape, bytes } = shownTensor(sceneOf({ ...REQUEST, value, subtrahend })!);
  expect([dtype, shape]).toEqual(["F64", value.shape]);
  expect([...new Float64Array(bytes.buffer)]).toEqual(Array.from(value.data, (each) => 0.75 * each));
});

test("axes that the tensor doesn't have, as in an old address, are passed over", () => {
  const of = (tile: number | null, row: number, column: number) =>
    sceneOf({ ...REQUEST, wanted: "heat", arrangements: { heat: { tile, row, column } } })?.arrangement;
  const usual = { tile: null, row: 1, column: 2 };
  expect(of(null, 3, 0)).toEqual({ tile: null, row: 3, column: 0 });
  expect([of(null, 7, 1), of(null, 2, 2), of(3, 1, 2)]).toEqual([usual, usual, usual]);
});

test("an index is held at the end of an axis that is shorter", () => {
  const held = (index: readonly number[]) => sceneOf({ ...REQUEST, wanted: "bars", index })?.index;
  expect(held([0, 2])).toEqual([0, 2, 0, 0]);
  expect(held([0, 99, 1])).toEqual([0, 3, 1, 0]);
});

test("bars sorted by value keep their indices, NaN first", () => {
  expect([...sortedOrder([1, NaN, -5, 3], "index")]).toEqual([0, 1, 2, 3]);
  expect([...sortedOrder([1, NaN, -5, 3], "value")]).toEqual([1, 3, 0, 2]);
  expect([...sortedOrder([1, NaN, -5, 3], "size")]).toEqual([1, 2, 3, 0]);
});

test("the layout follows the room", () => {
  expect(layoutOf({ width: 540, height: 900 }, 1)).toBe("stacked");
  expect(layoutOf({ width: 960, height: 330 }, 1)).toBe("split");
  expect(layoutOf({ width: 960, height: 640 }, 1)).toBe("large");
});

test("several quantities take the place of the charts where stacked they would be too low", () => {
  expect(layoutOf({ width: 843, height: 233 }, 2)).toBe("pictures");
  expect(layoutOf({ width: 843, height: 417 }, 2)).toBe("split");
  expect(layoutOf({ width: 843, height: 417 }, 3)).toBe("pictures");
  expect(layoutOf({ width: 960, height: 640 }, 3)).toBe("large");
});

test("the input beside feature maps is a recorded image, grey or in colour", () => {
  const tokens = nodeOf({ kind: "input", shape: [null, 24] });
  const hidden = nodeOf({ kind: "input", shape: [null, 28, 28, 1], state: "available" });
  const image = nodeOf({ kind: "input", shape: [null, 28, 28, 1] });
  expect(imageInput([tokens, hidden, image])).toBe(image);
  expect(imageInput([tokens, nodeOf({ shape: [null, 28, 28, 1] })])).toBeUndefined();
  const colored = nodeOf({ kind: "input", shape: [null, 32, 32, 3] });
  expect(imageInput([tokens, nodeOf({ kind: "input", shape: [null, 32, 32, 2] }), colored])).toBe(colored);
});

describe("the strip", () => {
  const names = ["mean", "std", "zero_fraction", "saturated_fraction"];
  const history = historyOf(
    {
      captures: 2,
      columns: 4,
      step: Float64Array.of(0, 10),
      statistics: Float32Array.of(1, 2, 0.47, NaN, 1.5, 2, 0.78, NaN),
      counts: Float64Array.of(4096, 0, 0, 0, 4096, 12, 1, 0),
    },
    names,
  );
  const item = (
    name: string,
    row = 1,
    other?: Parameters<typeof stripItems>[3],
  ): ReturnType<typeof stripItems>[number] | undefined =>
    stripItems(history, row, new Set(["zero_fraction"]), other).find((each) => each.name === name);

  test("has the numbers of the row", () => {
    expect(item("mean")?.text).toBe("1.50");
    expect(item("zero_fraction")).toMatchObject({ text: "78.0\u202f%", bad: true, beside: "was 47.0\u202f% at 0" });
    expect(item("NaN")).toMatchObject({ text: "12", bad: true });
    expect(item("+Inf")).toMatchObject({ text: "1", bad: true });
    expect(item("elements")?.text).toBe("4,096");
  });
  test("has one place for counts that are all zero", () => {
    expect(
      stripItems(history, 0, new Set())
        .map(({ label, text }) => [label, text])
        .slice(-2),
    ).toEqual([
      ["NaN, ±Inf", "0"],
      ["elements", "4,096"],
    ]);
    expect(
      stripItems(history, 1, new Set())
        .map(({ label }) => label)
        .slice(-3),
    ).toEqual(["NaN", "+Inf", "elements"]);
  });
  test("says of a scalar its value, and not five times the same", () => {
    const one = historyOf(
      {
        ...{ captures: 1, columns: 3, step: Float64Array.of(0), statistics: Float32Array.of(2.5, 0, 0) },
        counts: Float64Array.of(1, 0, 0, 0),
      },
      ["mean", "std", "zero_fraction"],
    );
    expect(stripItems(one, 0, new Set()).map(({ label, text }) => `${label} ${text}`)).toEqual([
      "value 2.50",
      "NaN, ±Inf 0",
      "elements 1",
    ]);
    expect(choicesOf(one).map(({ label }) => label)).toEqual(["value"]);
  });
  test("has dashes where there are no elements, which is no scalar", () => {
    const none = historyOf(
      {
        ...{ captures: 2, columns: 2, step: Float64Array.of(0, 5), statistics: new Float32Array(4).fill(NaN) },
        counts: new Float64Array(8),
      },
      ["mean", "std"],
    );
    expect(stripItems(none, 1, new Set()).map(({ label, text }) => `${label} ${text}`)).toEqual([
      "mean –",
      "std –",
      "NaN, ±Inf 0",
      "elements 0",
    ]);
    expect(isEmpty(none)).toBe(true);
  });
  test("leaves out what isn't defined for this node", () => {
    expect(item("saturated_fraction")).toBeUndefined();
  });
  test("has dashes where nothing was recorded", () => {
    expect(item("mean", -1)?.text).toBe("–");
    expect(item("elements", -1)?.text).toBe("–");
  });
  test("shows differences when two are compared, of shares in points", () => {
    const other = { history, row: 0 };
    expect(item("mean", 1, other)?.beside).toBe("+0.500");
    expect(item("zero_fraction", 1, other)?.beside).toBe("+31.0 points");
    expect(item("std", 1, other)?.beside).toBe("0");
  });
});

test("a choice per quantity goes into an address and back, and nonsense is passed over", () => {
  const link = perQuantityLink(axisKinds.peek(), ["linear", "log", "symlog"]);
  expect(link.encode(axisKinds.peek())).toBeNull();
  const chosen = { ...axisKinds.peek(), value: "symlog" as const, update: "linear" as const };
  expect(link.encode(chosen)).toBe("value:symlog,update:linear");
  expect(link.decode("value:symlog,update:linear")).toEqual(chosen);
  expect(link.decode("__proto__:log,value:nonsense,:,x")).toEqual(axisKinds.peek());
  expect(link.decode(null)).toEqual(axisKinds.peek());
});

test("examples stop at the ends", () => {
  exampleCount.value = 3;
  example.value = 1;
  moveExample(5);
  expect(example.value).toBe(2);
  moveExample(-9);
  expect(example.value).toBe(0);
});
