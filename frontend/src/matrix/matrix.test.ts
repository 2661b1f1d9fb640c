import { describe, expect, it } from "vitest";
import { drawColorbar } from "../charts/colorbar";
import { makeScale } from "../charts/scale";
import { buildColormap, NOTHING_FINITE } from "../colormap";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import { parseModel } from "../graph/testing";
import { buildTree } from "../nodes/tree";
import type { Matrix } from "../types";
import { columnEdges, nearestColumn, paddedRange } from "../charts/timeline";
import { columnsToAsk, pixelColumns, stepsToAsk } from "./columns";
import { constantReference, matrixReference, subtract } from "./compare";
import { matrixCsv } from "./csv";
import { paintRows, rowPlaces, type HatchColors } from "./raster";
import { chooseRows, labelParts, preorder, rowHeight, rowsHeight } from "./rows";
import { type Extremes, shadeSigned, shadeStatistic } from "./shading";

/** Rows of numbers, one column per step; `null` is nothing recorded. */
function matrixOf(rows: readonly (readonly (number | null)[])[], steps: readonly number[], high = rows): Matrix {
  const flat = (values: typeof rows): Float32Array => Float32Array.from(values.flat(), (value) => value ?? NaN);
  return {
    nodes: rows.length,
    columns: steps.length,
    low: flat(rows),
    high: flat(high),
    nonfinite: new Uint8Array(rows.length * steps.length),
    start: Float64Array.from(steps),
    stop: Float64Array.from(steps),
  };
}

describe("columns", () => {
  const STEPS = [0, 10, 20, 50, 60];

  it("meet half way between captures, and end beside lost ones", () => {
    const edges = columnEdges(matrixOf([[1, 1, 1, 1, 1]], STEPS), [{ start: 20, stop: 50 }]);
    expect([...edges.from]).toEqual([-5, 5, 15, 45, 55]);
    expect([...edges.to]).toEqual([5, 15, 25, 55, 65]);
  });

  it("without a loss a wider distance is a wider column, not a hole", () => {
    const edges = columnEdges(matrixOf([[1, 1, 1, 1, 1]], STEPS), []);
    expect([edges.to[2], edges.from[3]]).toEqual([35, 35]);
  });

  it("hold their own steps and never overlap", () => {
    const steps = [0, 1, 2, 4, 8, 16, 32, 64, 65, 66];
    const edges = columnEdges(matrixOf([steps], steps), [{ start: 8, stop: 16 }]);
    steps.forEach((step, column) => {
      expect(edges.from[column]).toBeLessThanOrEqual(step);
      expect(edges.to[column]).toBeGreaterThanOrEqual(step);
      if (column > 0) expect(edges.from[column]).toBeGreaterThanOrEqual(edges.to[column - 1]);
    });
    expect(paddedRange({ first: 0, last: 66 }, edges)).toEqual({ first: edges.from[0], last: edges.to[9] });
  });

  it("take one column, and none", () => {
    expect([...columnEdges(matrixOf([[1]], [7]), []).from]).toEqual([6.5]);
    expect(columnEdges(matrixOf([[]], []), []).from).toHaveLength(0);
  });

  it("are each under some pixel, however many share one", () => {
    const steps = Array.from({ length: 1000 }, (_, index) => index);
    const pixels = pixelColumns(columnEdges(matrixOf([steps], steps), []), { first: 0, last: 999 }, 137);
    const shown = new Set<number>();
    pixels.first.forEach((first, x) => {
      for (let column = first; column < pixels.end[x]; column += 1) shown.add(column);
    });
    expect(shown.size).toBe(1000);
  });

  it("leave the pixels of a gap empty", () => {
    const edges = columnEdges(matrixOf([[1, 1]], [0, 100]), [{ start: 0, stop: 100 }]);
    const { first, end } = pixelColumns(edges, { first: 0, last: 100 }, 100);
    expect(end[50]).toBe(first[50]);
    expect(end[1]).toBe(1);
    expect(end[99]).toBe(2);
  });

  it("are asked for by the pixel and the zoom, within bounds", () => {
    expect(columnsToAsk(684, 36)).toBe(1024);
    expect(columnsToAsk(9000, 36)).toBe(4096);
    expect(columnsToAsk(684, 10_000) * 10_000).toBeLessThanOrEqual(5_000_000);
  });
});

describe("raster", () => {
  const MAP = buildColormap("#000000,#ffffff");
  const SCALE = makeScale("linear", 0, 255);
  const COLORS: HatchColors = { nan: 1, nanPaper: 2, none: 3, noneLine: 4, surface: 5 };
  const steps = Array.from({ length: 1000 }, (_, index) => index);
  const pixels = pixelColumns(columnEdges(matrixOf([steps], steps), []), { first: 0, last: 999 }, 100);

  it("hides no extreme: one capture among ten under a pixel shows, above or below", () => {
    const row = steps.map(() => 100);
    row[505] = 250;
    row[707] = 3;
    const { high, low } = rowPlaces(matrixOf([row], steps), { node: 0, scale: SCALE }, pixels);
    expect(Math.max(...high)).toBe(250);
    expect(Math.min(...low)).toBe(3);
    expect([...high].filter((place) => place === 250).length).toBeLessThanOrEqual(2);
    expect(Math.min(...high)).toBe(100);
  });

  it("makes one capture with NaN five pixels wide, also at the edges", () => {
    for (const at of [0, 505, 999]) {
      const matrix = matrixOf([steps.map(() => 1)], steps);
      matrix.nonfinite[at] = 1;
      const { high } = rowPlaces(matrix, { node: 0, scale: SCALE }, pixels);
      expect([...high].filter((place) => place < 0)).toHaveLength(5);
    }
  });

  it("shows NaN also where no finite number is left", () => {
    const matrix = matrixOf([steps.map(() => null)], steps);
    matrix.nonfinite.fill(1);
    const painted = paintRows([rowPlaces(matrix, { node: 0, scale: SCALE }, pixels)], 100, 4, MAP, COLORS);
    expect(new Set(painted.subarray(0, 300))).toEqual(new Set([COLORS.nan, COLORS.nanPaper]));
  });

  it("hatches what is not recorded, and a row without the quantity altogether", () => {
    const empty = matrixOf([steps.map(() => null)], steps);
    for (const node of [0, -1]) {
      const painted = paintRows([rowPlaces(empty, { node, scale: SCALE }, pixels)], 100, 4, MAP, COLORS);
      expect(new Set(painted.subarray(0, 300))).toEqual(new Set([COLORS.none, COLORS.noneLine]));
    }
  });

  it("draws the largest in the upper half and the smallest in the lower one, and leaves a line between rows", () => {
    const matrix = matrixOf([[10]], [0], [[200]]);
    const one = { first: Int32Array.of(0), end: Int32Array.of(1) };
    const places = rowPlaces(matrix, { node: 0, scale: SCALE }, one);
    const painted = [...paintRows([places, places], 1, 5, MAP, COLORS)];
    expect(painted.slice(0, 5)).toEqual([
      MAP.pixels[200],
      MAP.pixels[200],
      MAP.pixels[10],
      MAP.pixels[10],
      COLORS.surface,
    ]);
    expect(painted.slice(5)).toEqual(painted.slice(0, 5));
  });
});

describe("shading", () => {
  const values = (...numbers: number[]): Float32Array => Float32Array.from(numbers);
  const cells = (low: Float32Array, high = low, nonfinite: readonly number[] = []): Extremes => ({
    ...{ low, high, nonfinite: Uint8Array.from(low, (_, at) => nonfinite[at] ?? 0) },
  });

  it("takes no part of its scale from a cell that is drawn hatched", () => {
    const broken = cells(values(1, 1e34, 2), values(1, 4e37, 3), [0, 1, 0]);
    for (const kind of ["log", "linear"] as const) {
      expect(shadeStatistic("std", broken, kind).scale.high).toBe(3);
      expect(shadeSigned(broken, kind).scale.high).toBe(3);
    }
    expect(shadeStatistic("std", cells(values(1), values(2), [1]), "log")).toBe(NOTHING_FINITE);
  });

  it("is diverging and symmetric for signed numbers", () => {
    const { map, scale } = shadeStatistic("mean", cells(values(-2, NaN, 1), values(0, NaN, 5)), "linear");
    expect([map, scale.low, scale.high]).toEqual(["div", -5, 5]);
    expect(shadeSigned(cells(values(-2), values(5)), "log").scale.unit(0)).toBeCloseTo(0.5);
  });

  it("shows usual signed numbers on a log scale beside one that is a million times as large", () => {
    const usual = Float32Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 1 : -1) * (0.1 + index / 100));
    const { scale } = shadeSigned(cells(Float32Array.of(...usual, 3e5)), "log");
    expect(scale.unit(0.5)).toBeGreaterThan(0.56);
    expect(scale.unit(-0.5)).toBeLessThan(0.44);
    expect(scale.unit(0)).toBeCloseTo(0.5);
  });

  it("is 0 to 1 for shares, whatever is there", () => {
    const { map, scale } = shadeStatistic("zero_fraction", cells(values(0.4), values(0.5)), "log");
    expect([map, scale.kind, scale.low, scale.high]).toEqual(["dens", "linear", 0, 1]);
  });

  it("spans all positive numbers on a log scale, at most eight decades of them", () => {
    const plain = shadeStatistic("std", cells(values(0, 1e-3, 1), values(0, 1, 10)), "log");
    expect([plain.scale.low, plain.scale.high]).toEqual([expect.closeTo(1e-3), 10]);
    const wide = shadeStatistic("std", cells(values(1e-30), values(1)), "log");
    expect(wide.scale.low).toBeCloseTo(1e-8, 12);
  });

  it("lets no single outlier flatten a linear scale", () => {
    const usual = Float32Array.from({ length: 1000 }, (_, index) => index / 1000);
    const spiked = usual.slice();
    spiked[10] = 1e6;
    expect(shadeStatistic("std", cells(usual, spiked), "linear").scale.high).toBeLessThanOrEqual(1);
  });

  it("has no numbers where nothing is finite, and says so in the place of the colour bar", () => {
    const nothing = [values(), values(NaN, Infinity)];
    for (const kind of ["log", "linear"] as const) {
      for (const name of ["std", "zero_fraction"]) {
        for (const data of nothing) expect(shadeStatistic(name, cells(data), kind)).toBe(NOTHING_FINITE);
      }
      for (const data of nothing) expect(shadeSigned(cells(data), kind)).toBe(NOTHING_FINITE);
    }
    const pen = new RecordingPen();
    const place = { x: 0, y: 0, height: 200 };
    drawColorbar(
      pen,
      place,
      NOTHING_FINITE,
      buildColormap("#000,#fff"),
      makePalette(() => ""),
    );
    expect(pen.of("text").map(({ text }) => text)).toEqual(["nothing finite"]);
    expect(pen.of("image")).toEqual([]);
  });

  it("has a scale where there is one number", () => {
    for (const kind of ["log", "linear"] as const) {
      for (const data of [values(0), values(3)]) {
        const { scale } = shadeStatistic("l2_norm", cells(data), kind);
        expect(scale.high).toBeGreaterThan(scale.low);
      }
    }
  });
});

describe("compare", () => {
  it("finds the column that holds a step or is nearest", () => {
    const matrix = { start: Float64Array.of(0, 20, 60), stop: Float64Array.of(10, 30, 60) };
    expect([0, 10, 14, 16, 25, 44, 46, 99].map((step) => nearestColumn(matrix, step))).toEqual([
      0, 0, 0, 1, 1, 1, 2, 2,
    ]);
    expect(nearestColumn({ start: new Float64Array(), stop: new Float64Array() }, 5)).toBe(-1);
  });

  it("asks at a zoom for the captures in sight and one more on each side", () => {
    const recorded = Float64Array.of(0, 10, 20, 30, 40);
    expect(stepsToAsk(recorded, null)).toEqual({});
    expect(stepsToAsk(recorded, { first: 12, last: 28 })).toEqual({ first_step: 10, last_step: 30 });
    expect(stepsToAsk(recorded, { first: 0, last: 50 })).toEqual({ first_step: 0, last_step: 40 });
    expect(stepsToAsk(new Float64Array(), { first: 0, last: 50 })).toEqual({});
  });

  it("subtracts another step", () => {
    const own = matrixOf([[1, 2, 4]], [0, 1, 2]);
    const { low, high } = subtract(
      own,
      constantReference([2], (node) => node),
    );
    expect([...low]).toEqual([-1, 0, 2]);
    expect([...high]).toEqual([-1, 0, 2]);
  });

  it("subtracts another run by name and step; what one side lacks has no difference", () => {
    const own = matrixOf(
      [
        [5, 5],
        [7, 7],
      ],
      [0, 100],
    );
    const other = matrixOf([[1, 2, null]], [0, 60, 130]);
    const { low } = subtract(
      own,
      matrixReference(other, (node) => (node === 0 ? 0 : -1)),
    );
    expect([...low]).toEqual([4, NaN, NaN, NaN]);
  });

  it("lets no extremes of columns of several captures cancel", () => {
    const own = { ...matrixOf([[0]], [0], [[9]]), stop: Float64Array.of(30) };
    const other = matrixOf([[1, 2, 90]], [0, 20, 40], [[1, 8, 90]]);
    const { low, high } = subtract(
      own,
      matrixReference(other, (node) => node),
    );
    expect([low[0], high[0]]).toEqual([-8, 8]);
  });
});

describe("rows", () => {
  const nodes = parseModel("b/x; a; b/x/kernel:var; b; c?");

  it("stand in the order of the list: each node before what is below it", () => {
    expect(preorder(buildTree(nodes)).map((index) => nodes[index].name)).toEqual(["b", "b/x", "b/x/kernel", "a", "c"]);
  });

  it("can be those with the quantity, or with findings", () => {
    const order = [0, 1, 2, 3, 4];
    expect(chooseRows(order, nodes, "recorded", "value", () => false)).toEqual([0, 1, 2, 3]);
    expect(chooseRows(order, nodes, "findings", "value", (name) => name === "a")).toEqual([1]);
  });

  it("share the height when they are few", () => {
    expect([rowHeight(4, 600), rowHeight(25, 600), rowHeight(10_000, 600), rowHeight(0, 600)]).toEqual([
      40, 24, 18, 18,
    ]);
  });

  it("end with a whole row, the axis of steps right under it", () => {
    expect([rowsHeight(4, 600), rowsHeight(25, 605), rowsHeight(10_000, 605), rowsHeight(9, 5)]).toEqual([
      160, 600, 594, 18,
    ]);
  });

  it("show the last two parts of a path", () => {
    expect(labelParts("encoder/block1/re_lu_1")).toEqual({ scope: "block1/", label: "re_lu_1" });
    expect(labelParts("head/dense")).toEqual({ scope: "head/", label: "dense" });
    expect(labelParts("loss")).toEqual({ scope: "", label: "loss" });
  });
});

describe("csv", () => {
  it("writes what is shown, exactly, and nothing that isn't recorded", () => {
    const nodes = parseModel("a; b,c; =d");
    const matrix = matrixOf(
      [
        [0.1, 2, 3],
        [4, null, null],
        [null, null, null],
      ],
      [0, 10, 20],
    );
    matrix.nonfinite[4] = 1;
    const text = matrixCsv(matrix, [1, 0, 2], nodes, { first: 0, last: 10 }, "value", "std").join("");
    expect(text.split("\r\n")).toEqual([
      "node,quantity,statistic,first_step,last_step,low,high,nonfinite",
      '"b,c",value,std,0,0,4,4,0',
      '"b,c",value,std,10,10,nan,nan,1',
      "a,value,std,0,0,0.1,0.1,0",
      "a,value,std,10,10,2,2,0",
      "",
    ]);
  });
});
