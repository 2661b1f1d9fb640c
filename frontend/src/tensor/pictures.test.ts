import { describe, expect, test } from "vitest";
import { makeScale } from "../charts/scale";
import { buildColormap } from "../colormap";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import { barAt, drawBars } from "./bars_chart";
import { gridLayout, tileAt, tileBox, tileGap, tilesPerPage } from "./grid_layout";
import { drawHeat, heatCellAt, indexTicks } from "./heat_chart";
import { cellBox } from "./marks";
import { paintExample, paintPlane } from "./paint";
import { planeOf, type Sliceable } from "./plane";
import { drawTiles } from "./tiles_chart";

const palette = makePalette((name) => name);
const map = buildColormap("#000000,#ffffff");
const scale = makeScale("linear", 0, 1);
const ink = { coloring: { map: "dens" as const, scale }, map };

function matrix(rows: number, columns: number, values: readonly number[]): Sliceable {
  return { shape: [rows, columns], data: Float32Array.from(values) };
}
const planeOfMatrix = (tensor: Sliceable): ReturnType<typeof planeOf> => planeOf(tensor, 0, 1, []);

describe("painting", () => {
  test("an example with three channels has its colours, from the smallest to the largest number of all", () => {
    const images = {
      shape: [2, 1, 2, 3],
      data: Float32Array.from([-1, -1, -1, 1, 1, 1, ...[1, -1, -1], ...[NaN, 0, 1]]),
    };
    expect([...paintExample(images, 0, map).data]).toEqual([0xff000000, 0xffffffff]);
    expect(paintExample(images, 1, map)).toMatchObject({ width: 2, height: 1 });
    expect([...paintExample(images, 1, map).data]).toEqual([0xff0000ff, 0xffff8000]);
  });

  test("an example with another number of channels is grey, by the first of them", () => {
    const images = { shape: [1, 1, 3, 2], data: Float32Array.from([0, 9, 5, 0, 10, 9]) };
    expect([...paintExample(images, 0, map).data]).toEqual([0xff000000, 0xff808080, 0xffffffff]);
    expect([...paintExample({ shape: [1, 1, 3], data: images.data.slice(0, 3) }, 0, map).data]).toHaveLength(3);
  });

  test("takes colours from the map and leaves what isn't finite out of it", () => {
    const { pixels, marks } = paintPlane(
      planeOfMatrix(matrix(2, 3, [0, 1, 0.5, NaN, Infinity, -Infinity])),
      scale,
      map,
    );
    expect([...pixels.data]).toEqual([map.pixels[0], map.pixels[255], map.pixels[128], 0, 0, 0]);
    expect(marks).toEqual({ nan: [1, 0], positive: [1, 1], negative: [1, 2] });
  });
  test("takes the end's colour beyond the ends", () => {
    const { pixels } = paintPlane(planeOfMatrix(matrix(1, 2, [-7, 9])), scale, map);
    expect([...pixels.data]).toEqual([map.pixels[0], map.pixels[255]]);
  });
  test("agrees between the linear short cut and any other scale", () => {
    const values = Array.from({ length: 50 }, (_, index) => index / 49);
    const plane = planeOfMatrix(matrix(5, 10, values));
    const { pixels } = paintPlane(plane, makeScale("sqrt", 0, 1), map);
    expect([...pixels.data]).toEqual(values.map((value) => map.pixels[Math.round(Math.sqrt(value) * 255)]));
  });
});

describe("the grid", () => {
  const request = { count: 64, imageWidth: 14, imageHeight: 14, width: 330, height: 330, gap: 3, caption: 0 };
  test("takes the columns that make tiles largest, inside the box", () => {
    const layout = gridLayout(request);
    expect([layout.columns, layout.rows]).toEqual([8, 8]);
    const last = tileBox(layout, 63);
    expect(last.x + last.width).toBeLessThanOrEqual(330);
    expect(last.y + last.height).toBeLessThanOrEqual(330);
  });
  test("gives elements whole pixels where that costs little", () => {
    expect(gridLayout({ ...request, width: 372, height: 372 }).tileWidth % 14).toBe(0);
  });
  test("keeps the proportions of what isn't square", () => {
    const layout = gridLayout({ ...request, imageWidth: 40, imageHeight: 10 });
    expect(layout.tileWidth / layout.tileHeight).toBeCloseTo(4, 0);
  });
  test("finds tile and element under a point, and nothing between tiles", () => {
    const layout = gridLayout(request);
    const box = tileBox(layout, 9);
    expect(tileAt(layout, 64, 14, 14, box.x + 1, box.y + 1)).toEqual({ tile: 9, row: 0, column: 0 });
    expect(tileAt(layout, 64, 14, 14, box.x + box.width - 1, box.y + box.height - 1)).toEqual({
      tile: 9,
      row: 13,
      column: 13,
    });
    expect(tileAt(layout, 64, 14, 14, box.x - 2, box.y + 1)).toBeUndefined();
    expect(tileAt(layout, 9, 14, 14, box.x + 1, box.y + 1)).toBeUndefined();
  });
  test("turns to pages where tiles would be too small to see", () => {
    expect(tilesPerPage(request)).toBeGreaterThan(64);
    expect(tilesPerPage({ ...request, width: 100, height: 60 })).toBeLessThan(16);
  });
});

describe("tiles", () => {
  const tensor: Sliceable = { shape: [2, 2, 2], data: Float32Array.of(0, 1, 0, 0.5, 0, NaN, 0, 1) };
  const layout = gridLayout({ count: 2, imageWidth: 2, imageHeight: 2, width: 90, height: 40, gap: 3, caption: 0 });
  const tileOf = (tile: number, zero: boolean) => ({ plane: planeOf(tensor, 0, 1, [0, 0, tile]), ink, zero });

  test("that are 0 everywhere are ∅ and no picture", () => {
    const pen = new RecordingPen();
    drawTiles(pen, { tiles: [tileOf(0, true), tileOf(1, false)], layout }, palette);
    expect(pen.of("image")).toHaveLength(1);
    expect(pen.of("circle")).toHaveLength(1);
  });
  test("with a NaN show it hatched inside the tile", () => {
    const pen = new RecordingPen();
    drawTiles(pen, { tiles: [tileOf(1, false)], layout }, palette);
    const [hatch] = pen.of("hatch");
    expect(hatch.hatch.color).toBe("nan");
    expect(hatch.box.x + hatch.box.width).toBeLessThanOrEqual(tileBox(layout, 0).width);
  });
  test("show at most one element per pixel, and the largest of those they stand for", () => {
    const large = new Float32Array(400 * 400);
    large[77_777] = 1;
    const small = gridLayout({
      count: 1,
      imageWidth: 400,
      imageHeight: 400,
      width: 40,
      height: 40,
      gap: 0,
      caption: 0,
    });
    const pen = new RecordingPen();
    const plane = planeOf({ shape: [400, 400], data: large }, 0, 1, []);
    drawTiles(pen, { tiles: [{ plane, ink, zero: false }], layout: small }, palette);
    const { pixels } = pen.of("image")[0];
    expect(pixels.width).toBeLessThanOrEqual(40);
    expect([...pixels.data].filter((pixel) => pixel === map.pixels[255])).toHaveLength(1);
  });
});

test("a mark is at least 5 px wide and inside the picture, however small its cell", () => {
  const box = { x: 10, y: 10, width: 100, height: 100 };
  for (const [row, column] of [
    [0, 0],
    [999, 999],
    [500, 3],
  ]) {
    const mark = cellBox(box, 1000, 1000, row, column);
    expect(mark.width).toBe(5);
    expect(mark.x).toBeGreaterThanOrEqual(10);
    expect(mark.y + mark.height).toBeLessThanOrEqual(110);
  }
});

describe("the heat map", () => {
  const plane = planeOfMatrix(
    matrix(
      3,
      4,
      Array.from({ length: 12 }, (_, index) => index / 11),
    ),
  );
  const label = (part: string, place: number): string => `${part} ${place}`;
  const picture = { plane, ink, rowName: "example", columnName: "unit", label };
  test("labels both axes", () => {
    const pen = new RecordingPen();
    drawHeat(pen, 400, 200, picture, palette);
    expect(pen.texts()).toEqual(expect.arrayContaining(["row 0", "row 2", "column 0", "column 3", "unit →"]));
  });
  test("finds the element under a point", () => {
    const layout = drawHeat(new RecordingPen(), 400, 200, picture, palette);
    const { box } = layout;
    expect(heatCellAt(layout, plane, box.x + 1, box.y + 1)).toEqual({ row: 0, column: 0 });
    expect(heatCellAt(layout, plane, box.x + box.width - 1, box.y + box.height - 1)).toEqual({ row: 2, column: 3 });
    expect(heatCellAt(layout, plane, box.x - 2, box.y)).toBeUndefined();
  });
  test("with fewer pixels than elements finds the first of a block", () => {
    const large = planeOfMatrix(matrix(1000, 1000, new Array<number>(1_000_000).fill(0)));
    const layout = drawHeat(new RecordingPen(), 250, 222, { ...picture, plane: large }, palette);
    expect(layout.rowBlock).toBe(5);
    expect(heatCellAt(layout, large, layout.box.x + layout.box.width - 0.1, layout.box.y)).toEqual({
      row: 0,
      column: 995,
    });
  });
  test("has room for the index of the first of many rows", () => {
    const pen = new RecordingPen();
    const large = planeOfMatrix(matrix(500, 4, new Array<number>(2000).fill(0)));
    drawHeat(pen, 250, 222, { ...picture, plane: large }, palette);
    const heights = pen.of("text").map((call) => call.y);
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(6);
  });
  test("thins its indices to round numbers", () => {
    expect(indexTicks(32, 320, 38)).toEqual([0, 5, 10, 15, 20, 25, 30]);
    expect(indexTicks(4, 320, 38)).toEqual([0, 1, 2, 3]);
    expect(indexTicks(1, 3, 38)).toEqual([0]);
  });
});

test("tiles stand 3 px apart in a panel, and further on a large screen", () => {
  expect([100, 400, 1100, 1800].map(tileGap)).toEqual([3, 3, 7, 12]);
});

describe("bars", () => {
  const order = Uint32Array.of(0, 1, 2, 3);
  const picture = {
    values: [1, -2, NaN, Infinity],
    order,
    color: "teal",
    name: "unit",
    label: String,
    low: -4,
    high: 4,
  };
  test("stand on zero; NaN is hatched over the full height, infinity an arrow", () => {
    const pen = new RecordingPen();
    const plot = drawBars(pen, 300, 120, picture, palette);
    const bars = pen.of("rect").filter(({ fill }) => fill.color === "teal");
    expect(bars).toHaveLength(2);
    expect(bars[0].box.y + bars[0].box.height).toBeCloseTo(bars[1].box.y, 5);
    expect(bars[1].box.height).toBeCloseTo(2 * bars[0].box.height, 5);
    expect(pen.of("hatch")[0].box.height).toBe(plot.box.height);
    expect(pen.texts()).toContain("unit →");
    expect(pen.of("polygon")).toHaveLength(1);
  });
  test("more than pixels become a range per pixel that keeps the spike and the NaN", () => {
    const values = new Float32Array(5000).fill(0.1);
    values[1234] = 4;
    values[4000] = NaN;
    const pen = new RecordingPen();
    const many = { ...picture, values, order: Uint32Array.from(values, (_, index) => index) };
    const plot = drawBars(pen, 300, 120, many, palette);
    const heights = pen.of("rect").map(({ box }) => box.height);
    expect(heights.length).toBeLessThanOrEqual(plot.box.width);
    expect(Math.max(...heights)).toBeGreaterThan(plot.box.height * 0.4);
    expect(pen.of("hatch")).toHaveLength(1);
  });
  test("are found by place", () => {
    const plot = drawBars(new RecordingPen(), 300, 120, picture, palette);
    expect(barAt(plot, 4, plot.box.x + 1)).toBe(0);
    expect(barAt(plot, 4, plot.box.x + plot.box.width - 1)).toBe(3);
    expect(barAt(plot, 4, plot.box.x - 1)).toBe(-1);
  });
});
