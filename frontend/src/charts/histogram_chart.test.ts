import { expect, test } from "vitest";
import { buildColormap } from "../colormap";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import type { CommonHistogram } from "./histogram";
import { xOf } from "./plot";
import { drawHistogramHeat, drawRidges, type Lane, ridgeColumns, saturatingShare } from "./histogram_chart";

const palette = makePalette((name) => name);
const map = buildColormap("#ffffff,#000000");

/** Columns of two bins at steps 0, 10, 20 …; an empty list is a capture without histogram. */
function common(columns: readonly (readonly number[])[]): CommonHistogram {
  const steps = Float64Array.from(columns, (_, index) => index * 10);
  return {
    low: -1,
    high: 1,
    bins: 2,
    start: steps,
    stop: steps,
    shares: Float32Array.from(columns.flatMap((column) => (column.length > 0 ? [...column] : [0, 0]))),
    counted: Float64Array.from(columns, (column) => (column.length > 0 ? 100 : 0)),
    elements: Float64Array.from(columns, () => 100),
  };
}

const laneOf = (histogram: CommonHistogram, name = ""): Lane => ({ name, histogram, gaps: [], marks: [] });

function heat(columns: readonly (readonly number[])[]): RecordingPen {
  const pen = new RecordingPen();
  const histogram = common(columns);
  const range = { first: 0, last: 10 * columns.length };
  drawHistogramHeat(pen, 300, 100, { lanes: [laneOf(histogram)], map, range, saturating: 0.5 }, palette);
  return pen;
}

test("no share at all is the surface, and the smallest share is not", () => {
  const [image] = heat([[0, 1e-9]]).of("image");
  // The upper bin comes first: rows of an image run down, values up.
  expect([...image.pixels.data]).toEqual([map.pixels[1], map.pixels[0]]);
});

test("the colour follows the square root of the share, up to the saturating one", () => {
  const [image] = heat([[0.125, 0.9]]).of("image");
  expect([...image.pixels.data]).toEqual([map.pixels[255], map.pixels[128]]);
});

test("a capture without histogram leaves its place empty", () => {
  expect(heat([[0.5, 0.5], [], [0.5, 0.5]]).of("image")).toHaveLength(2);
});

test("columns stand around their steps, the last as wide as the others", () => {
  const pen = new RecordingPen();
  const lanes = [laneOf(common(Array.from({ length: 3 }, () => [0.5, 0.5])))];
  const [plot] = drawHistogramHeat(
    pen,
    360,
    100,
    { lanes, map, range: { first: -5, last: 25 }, saturating: 1 },
    palette,
  );
  const images = pen.of("image").map(({ box }) => box);
  expect(images.map(({ width }) => width)).toEqual([100, 100, 100]);
  images.forEach(({ x, width }, column) => expect(x + width / 2).toBeCloseTo(xOf(plot, 10 * column)));
});

test("a second run stands below, on the same steps and the same scale", () => {
  const pen = new RecordingPen();
  const lanes = [laneOf(common([[0.5, 0.5]]), "first"), laneOf(common([[0.25, 0.75]]), "second")];
  const picture = { lanes, map, range: { first: -5, last: 5 }, saturating: 1 };
  const [upper, lower] = drawHistogramHeat(pen, 360, 206, picture, palette);
  expect(upper.box.y + upper.box.height).toBeLessThan(lower.box.y);
  expect([upper.box.x, upper.box.width, upper.box.height]).toEqual([lower.box.x, lower.box.width, lower.box.height]);
  expect(pen.texts()).toEqual(expect.arrayContaining(["first", "second"]));
  const [, second] = pen.of("image");
  expect([...second.pixels.data]).toEqual([0.75, 0.25].map((share) => map.pixels[Math.round(Math.sqrt(share) * 255)]));
  expect(second.box.y).toBe(lower.box.y);
});

test("a second run is an outline over each ridge, of its capture nearest in step", () => {
  const pen = new RecordingPen();
  const histogram = common(Array.from({ length: 3 }, () => [0.5, 0.5]));
  const other = common([[1, 0], [], [], [0, 1]]);
  const range = { first: 0, last: 30 };
  drawRidges(pen, 300, 200, { histogram, other, range, step: null, color: "teal" }, palette);
  const [lines, outlines] = ["teal", "compare"].map((color) =>
    pen.of("polyline").filter(({ stroke }) => stroke.color === color),
  );
  expect([lines.length, outlines.length]).toEqual([3, 3]);
  // The highest peak of both is as high as a ridge may be; √0.5 of it for the run itself.
  const rise = (index: number, of: typeof lines): number => of[index].ys[1] - of[index].ys[0];
  expect(rise(0, lines)).toBe(0);
  expect(rise(0, outlines)).toBeGreaterThan(0);
});

test("no ridge is cut off above, whichever rises highest", () => {
  const flat = Array.from({ length: 8 }, () => 1 / 8);
  const high = [0, 0, 0, 1, 0, 0, 0, 0];
  const cases = [1, 2, 5, 40].flatMap((count) => [0, 1, count - 1].map((at) => [count, at]));
  for (const height of [80, 600])
    for (const [count, at] of cases) {
      const pen = new RecordingPen();
      const histogram = common(Array.from({ length: count }, (_, index) => (index === at ? high : flat)));
      const picture = { histogram, other: null, range: { first: 0, last: 10 * count }, step: 10 * at, color: "teal" };
      drawRidges(pen, 300, height, picture, palette);
      const heights = pen.of("polyline").flatMap(({ ys }) => ys);
      expect(Math.min(...heights)).toBeGreaterThanOrEqual(4);
      expect(Math.max(...pen.of("band").flatMap(({ lower }) => lower))).toBeCloseTo(height - 20);
    }
});

test("one dominating bin doesn't decide what is dark", () => {
  const shares = new Float32Array(1000).fill(0.01);
  shares.fill(0.9, 0, 20);
  expect(saturatingShare(shares)).toBeCloseTo(0.01);
  expect(saturatingShare(new Float32Array(5))).toBe(1);
});

test("a dozen ridges stand for the range, with the current step among them", () => {
  const histogram = common(Array.from({ length: 100 }, () => [0.5, 0.5]));
  const { columns, current } = ridgeColumns(histogram, { first: 0, last: 990 }, 470);
  expect(columns).toHaveLength(13);
  expect(columns[0]).toBe(0);
  expect(columns.at(-1)).toBe(99);
  expect(current).toBe(47);
  expect(columns).toContain(47);
  expect([...columns].sort((a, b) => a - b)).toEqual(columns);
});

test("ridges come from the brushed range alone; a step outside it is in none", () => {
  const histogram = common(Array.from({ length: 100 }, () => [0.5, 0.5]));
  const { columns, current } = ridgeColumns(histogram, { first: 200, last: 300 }, 470);
  expect(Math.min(...columns)).toBeGreaterThanOrEqual(20);
  expect(Math.max(...columns)).toBeLessThanOrEqual(30);
  expect(current).toBe(-1);
});

test("the current ridge is orange and labelled", () => {
  const pen = new RecordingPen();
  const histogram = common(Array.from({ length: 30 }, () => [0.5, 0.5]));
  drawRidges(
    pen,
    300,
    200,
    { histogram, other: null, range: { first: 0, last: 300 }, step: 120, color: "teal" },
    palette,
  );
  expect(pen.of("polyline").filter(({ stroke }) => stroke.color === "here-line")).toHaveLength(1);
  expect(pen.of("text").find(({ style }) => style.bold)?.text).toBe("120");
});
