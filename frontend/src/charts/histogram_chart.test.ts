import { expect, test } from "vitest";
import { buildColormap } from "../colormap";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import type { CommonHistogram } from "./histogram";
import { xOf } from "./plot";
import { drawHistogramHeat, drawRidges, ridgeColumns, saturatingShare } from "./histogram_chart";

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

function heat(columns: readonly (readonly number[])[]): RecordingPen {
  const pen = new RecordingPen();
  const histogram = common(columns);
  const range = { first: 0, last: 10 * columns.length };
  drawHistogramHeat(pen, 300, 100, { histogram, map, range, gaps: [], marks: [], saturating: 0.5 }, palette);
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
  const histogram = common([
    [0.5, 0.5],
    [0.5, 0.5],
    [0.5, 0.5],
  ]);
  const range = { first: -5, last: 25 };
  const plot = drawHistogramHeat(
    pen,
    360,
    100,
    { histogram, map, range, gaps: [], marks: [], saturating: 0.5 },
    palette,
  );
  const images = pen.of("image").map(({ box }) => box);
  expect(images.map(({ width }) => width)).toEqual([100, 100, 100]);
  images.forEach(({ x, width }, column) => expect(x + width / 2).toBeCloseTo(xOf(plot, 10 * column)));
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
  drawRidges(pen, 300, 200, { histogram, range: { first: 0, last: 300 }, step: 120, color: "teal" }, palette);
  expect(pen.of("polyline").filter(({ stroke }) => stroke.color === "here-line")).toHaveLength(1);
  expect(pen.of("text").find(({ style }) => style.bold)?.text).toBe("120");
});
