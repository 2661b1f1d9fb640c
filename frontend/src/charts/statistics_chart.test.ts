import { describe, expect, test } from "vitest";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import { historyOf, nonFiniteMarks, rowAt } from "./history";
import { type AxisKind, choicesOf, lanesOf } from "./lanes";
import { drawNonFinite, stepScale, xOf } from "./plot";
import { drawStatistics, spread } from "./statistics_chart";

const NAMES = ["min", "max", "mean", "std", "l2_norm", "zero_fraction", "saturated_fraction"];
const DEFAULT_CHOICES = new Set(["range", "spread", "mean"]);
const palette = makePalette((name) => (name.startsWith("band") ? ".2" : name));

/** Rows of [step, min, max, mean, std, l2, zero, NaN count]; −1 as NaN count: nothing recorded. */
function history(rows: readonly (readonly number[])[]): ReturnType<typeof historyOf> {
  return historyOf(
    {
      captures: rows.length,
      columns: NAMES.length,
      step: Float64Array.from(rows, ([step]) => step),
      statistics: Float32Array.from(rows.flatMap((row) => [...row.slice(1, 7), NaN])),
      counts: Float64Array.from(rows.flatMap((row) => (row[7] < 0 ? [-1, 0, 0, 0] : [100, row[7], 0, 0]))),
    },
    NAMES,
  );
}

const signed = history([
  [0, -2, 2, 0.5, 1, 10, 0, 0],
  [10, -4, 3, 0.5, 1, 20, 0.5, 0],
  [20, -3, 3, -0.5, 1, 30, 0.5, 2],
  [30, 0, 0, 0, 0, 0, 0, -1],
  [40, -2, 2, 0, 1, 10, 0, 0],
]);

function draw(
  axis: AxisKind,
  chosen: ReadonlySet<string> = DEFAULT_CHOICES,
  gaps: { start: number; stop: number }[] = [],
): {
  pen: RecordingPen;
  plots: ReturnType<typeof drawStatistics>;
} {
  const pen = new RecordingPen();
  const lanes = lanesOf(signed, chosen, axis, palette);
  const picture = { history: signed, lanes, axis, color: "teal", range: { first: 0, last: 40 }, gaps };
  return { pen, plots: drawStatistics(pen, 500, 200, picture, palette) };
}

test("a capture at which nothing was recorded is a hole in every line and band", () => {
  const { pen } = draw("linear");
  const main = pen.of("polyline").find(({ stroke }) => stroke.width === 1.75);
  expect(main?.ys.filter(Number.isNaN)).toHaveLength(1);
  expect(pen.of("band").every(({ upper }) => upper.some(Number.isNaN))).toBe(true);
});

test("mean ± std is cut where the data end: ReLU has no negative values", () => {
  const relu = history([[0, 0, 4, 0.5, 1, 1, 0, 0]]);
  const [lane] = lanesOf(relu, DEFAULT_CHOICES, "linear", palette);
  const band = lane.bands.find(({ edges }) => !edges);
  expect([band?.lower[0], band?.upper[0]]).toEqual([0, 1.5]);
});

test("a log axis has lines of magnitudes and no band", () => {
  const { pen, plots } = draw("log");
  expect(pen.of("band")).toHaveLength(0);
  expect(pen.texts()).toEqual(expect.arrayContaining(["max |x|", "std", "|mean|"]));
  expect(plots[0].y.kind).toBe("log");
  expect(plots[0].y.low).toBeGreaterThan(0);
});

test("symlog keeps the bands and both signs", () => {
  const { pen, plots } = draw("symlog");
  expect(pen.of("band").length).toBeGreaterThan(0);
  expect(plots[0].y.kind).toBe("symlog");
  expect(plots[0].y.low).toBeLessThanOrEqual(-4);
});

test("each unit has a lane of its own over the same axis of steps", () => {
  const { plots } = draw("linear", new Set(["mean", "l2_norm", "zero_fraction"]));
  expect(plots).toHaveLength(3);
  expect(new Set(plots.map((plot) => xOf(plot, 20))).size).toBe(1);
  expect(plots[1].box.y).toBeGreaterThan(plots[0].box.y + plots[0].box.height);
  expect(plots[1].y.high).toBeGreaterThan(20);
  expect(plots[2].y.high).toBeLessThan(1);
});

test("a column without any number is no choice", () => {
  expect(choicesOf(signed).map(({ id }) => id)).not.toContain("saturated_fraction");
  expect(choicesOf(signed).map(({ id }) => id)).toContain("zero_fraction");
});

test("NaN is hatched at its step, at least 5 px wide, with its count", () => {
  const { pen, plots } = draw("linear");
  const mark = pen.of("hatch").find(({ hatch }) => hatch.color === "nan");
  expect(mark?.box.width).toBeGreaterThanOrEqual(5);
  expect((mark?.box.x ?? 0) + (mark?.box.width ?? 0) / 2).toBeCloseTo(xOf(plots[0], 20), 5);
  expect(pen.texts()).toContain("NaN 2");
});

test("no hatch crosses out the words of a mark", () => {
  const pen = new RecordingPen();
  const marks = [0, 5, 10, 15, 20].map((step) => ({ step, text: "NaN 3, +Inf 12" }));
  drawNonFinite(
    pen,
    { box: { x: 0, y: 0, width: 400, height: 100 }, x: stepScale({ first: 0, last: 20 }) },
    marks,
    palette,
  );
  const kinds = pen.drawn.map(({ op }) => op);
  expect(kinds.filter((op) => op === "hatch")).toHaveLength(5);
  expect(kinds.indexOf("text")).toBeGreaterThan(kinds.lastIndexOf("hatch"));
});

test("lost captures are hatched between the captures around them, and the line stops there", () => {
  const { pen, plots } = draw("linear", new Set(["mean"]), [{ start: 0, stop: 10 }]);
  const gap = pen.of("hatch").find(({ hatch }) => hatch.color === "line-ctl");
  expect(gap?.box.x).toBeCloseTo(xOf(plots[0], 0) + 1, 5);
  const line = pen.of("polyline")[0];
  expect(Number.isNaN(line.ys[1])).toBe(true);
});

test("nothing chosen and nothing finite still draw an axis", () => {
  expect(() => draw("linear", new Set())).not.toThrow();
  const empty = history([[0, NaN, NaN, NaN, NaN, NaN, NaN, 100]]);
  const lanes = lanesOf(empty, DEFAULT_CHOICES, "log", palette);
  const picture = { history: empty, lanes, axis: "log" as const, color: "c", range: { first: 0, last: 1 }, gaps: [] };
  expect(() => drawStatistics(new RecordingPen(), 300, 100, picture, palette)).not.toThrow();
});

describe("labels at the ends of lines", () => {
  test("are a line apart and inside the plot", () => {
    const placed = spread([{ y: 50 }, { y: 51 }, { y: 52 }, { y: 99 }], 0, 100).map(({ y }) => y);
    for (let index = 1; index < placed.length; index += 1)
      expect(placed[index] - placed[index - 1]).toBeGreaterThanOrEqual(12);
    expect(Math.max(...placed)).toBeLessThanOrEqual(100);
  });
  test("end left of the last capture, where the mark of the last step stands", () => {
    const { pen, plots } = draw("linear");
    const names = pen.of("text").filter(({ text }) => ["min", "max", "mean"].includes(text));
    expect(names).toHaveLength(3);
    for (const { x, style } of names) expect([style.align, x < xOf(plots[0], 40)]).toEqual(["right", true]);
  });
  test("go, the last first, where there is no room", () => {
    expect(
      spread(
        [
          { y: 5, n: 1 },
          { y: 5, n: 2 },
          { y: 5, n: 3 },
        ],
        0,
        12,
      ).map(({ n }) => n),
    ).toEqual([1, 2]);
  });
});

test("history looks up rows by step and knows what isn't finite", () => {
  expect([rowAt(signed, 20), rowAt(signed, 21), rowAt(signed, 30)]).toEqual([2, -1, -1]);
  expect(nonFiniteMarks(signed)).toEqual([{ step: 20, text: "NaN 2" }]);
});

test("10 series of 10,000 captures become a few points per pixel", () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => [index, -1, 1, Math.sin(index), 1, 5, 0.5, 0]);
  const long = history(rows);
  const lanes = lanesOf(long, new Set(choicesOf(long).map(({ id }) => id)), "linear", palette);
  const pen = new RecordingPen();
  const picture = {
    history: long,
    lanes,
    axis: "linear" as const,
    color: "c",
    range: { first: 0, last: 9999 },
    gaps: [],
  };
  drawStatistics(pen, 560, 200, picture, palette);
  for (const { xs } of pen.of("polyline")) expect(xs.length).toBeLessThan(4 * 501);
  for (const { xs } of pen.of("band")) expect(xs.length).toBeLessThan(2 * 501);
});

test("on a log axis a mean near zero doesn't flatten the rest, unless it stands alone", () => {
  const gradient = history([
    [0, -2, 2, 1e-12, 1, 10, 0, 0],
    [10, -4, 3, 1e-11, 0.5, 20, 0, 0],
  ]);
  const lowest = (chosen: ReadonlySet<string>): number => {
    const lanes = lanesOf(gradient, chosen, "log", palette);
    const picture = { history: gradient, lanes, axis: "log" as const, color: "teal", range: { first: 0, last: 10 } };
    return drawStatistics(new RecordingPen(), 500, 200, { ...picture, gaps: [] }, palette)[0].y.low;
  };
  expect(lowest(DEFAULT_CHOICES)).toBeGreaterThan(0.1);
  expect(lowest(new Set(["mean"]))).toBeLessThan(1e-11);
});

test("the axis of values is that of what is shown of the other run, too", () => {
  const other = history([
    ...[0, 10, 20, 30].map((step) => [step, -3, 3, 0.5, 1, 10, 0, 0]),
    [40, -900, 900, 800, 1, 10, 0, 0],
  ]);
  const lanes = lanesOf(signed, DEFAULT_CHOICES, "linear", palette);
  const picture = {
    history: signed,
    lanes,
    axis: "linear" as const,
    color: "teal",
    range: { first: 0, last: 20 },
    gaps: [],
  };
  const highest = (compare: object): number =>
    drawStatistics(new RecordingPen(), 500, 200, { ...picture, ...compare }, palette)[0].y.high;
  const compare = { history: other, gaps: [], color: "red" };
  expect(highest({ compare })).toBeLessThan(10);
  expect(highest({ compare, range: { first: 0, last: 40 } })).toBeGreaterThan(500);
});
