import { describe, expect, it } from "vitest";
import { makeScale } from "../charts/scale";
import { buildColormap } from "../colormap";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import type { Matrix } from "../types";
import { columnEdges } from "../charts/timeline";
import { paintHeat, paintOverlay, paintSteps, seenRows, type MatrixPicture, type Overlay } from "./paint";
import { columnAt, rowAtY, stepAtX, xOfStep, yOfRow, type Geometry } from "./geometry";

const PALETTE = makePalette((name) => (name === "font" ? "sans-serif" : name === "here-line" ? "#d95f00" : "#808080"));
const COLUMNS = 11;
const NODES = 1000;

function picture(change: Partial<Geometry> = {}): MatrixPicture {
  const start = Float64Array.from({ length: COLUMNS }, (_, column) => 10 * column);
  const low = Float32Array.from({ length: NODES * COLUMNS }, (_, at) => at % 7);
  const matrix: Matrix = {
    nodes: NODES,
    columns: COLUMNS,
    low,
    high: low,
    nonfinite: new Uint8Array(low.length),
    start,
    stop: start,
  };
  const geometry: Geometry = {
    range: { first: -5, last: 105 },
    width: 220,
    height: 90,
    rowHeight: 18,
    scrollTop: 0,
    count: NODES,
    ...change,
  };
  const shading = { map: "seq", scale: makeScale("linear", 0, 6) } as const;
  return {
    matrix,
    edges: columnEdges(matrix, []),
    geometry,
    rows: Array.from({ length: NODES }, (_, node) => node),
    map: buildColormap("#000000,#ffffff"),
    shadingOf: () => shading,
    reasonOf: (node) => (node === 2 ? "not selected" : null),
  };
}

const OVERLAY: Overlay = { step: null, hoverStep: null, hovered: null, cursor: null, selected: -1, brush: null };
const AREA = { width: 220, height: 90 };

describe("geometry", () => {
  it("means the same cell to painter and pointer, at any scroll", () => {
    for (const scrollTop of [0, 7, 500]) {
      const { geometry, matrix, edges } = picture({ scrollTop });
      for (const row of [Math.ceil(scrollTop / 18), Math.ceil(scrollTop / 18) + 3]) {
        expect(rowAtY(geometry, yOfRow(geometry, row) + 1)).toBe(row);
        expect(rowAtY(geometry, yOfRow(geometry, row) + 17)).toBe(row);
      }
      for (const step of [0, 50, 100])
        expect(matrix.start[columnAt(matrix, edges, stepAtX(geometry, xOfStep(geometry, step)))]).toBe(step);
    }
  });

  it("has no row below the last one", () => {
    expect(rowAtY(picture({ count: 3 }).geometry, 80)).toBe(-1);
  });
});

describe("heat map", () => {
  it("paints the rows that are seen, of however many", () => {
    const shown = picture({ scrollTop: 9000 });
    expect(seenRows(shown.geometry)).toEqual({ first: 500, end: 505 });
    const pen = new RecordingPen();
    paintHeat(pen, AREA, PALETTE, shown, 2);
    const [{ pixels, box }] = pen.of("image");
    expect([pixels.width, pixels.height]).toEqual([440, 36 * 5]);
    expect(box).toEqual({ x: 0, y: 0, width: 220, height: 90 });
  });

  it("shows what isn't finite also in a row that has no numbers otherwise", () => {
    const shown = picture();
    const low = shown.matrix.low.slice().fill(NaN, 2 * COLUMNS, 4 * COLUMNS);
    const nonfinite = shown.matrix.nonfinite.slice().fill(1, 3 * COLUMNS, 4 * COLUMNS);
    const pen = new RecordingPen();
    const palette = { ...PALETTE, nan: "#ff0000" };
    const matrix = { ...shown.matrix, low, high: low, nonfinite };
    paintHeat(pen, AREA, palette, { ...shown, matrix, reasonOf: (node) => (node > 1 ? "a scalar" : null) }, 1);
    const [{ pixels }] = pen.of("image");
    const isRed = (row: number): boolean =>
      pixels.data.subarray(220 * 18 * row, 220 * 18 * (row + 1)).includes(0xff0000ff);
    expect([1, 2, 3].map(isRed)).toEqual([false, false, true]);
  });

  it("says why a row is empty", () => {
    const pen = new RecordingPen();
    paintHeat(pen, AREA, PALETTE, picture(), 1);
    expect(pen.texts()).toEqual(["not selected"]);
  });
});

describe("overlay", () => {
  it("marks the current step beside its column and never over it", () => {
    const pen = new RecordingPen();
    const shown = picture();
    paintOverlay(pen, AREA, PALETTE, shown, { ...OVERLAY, step: 50 });
    const [left, right] = [xOfStep(shown.geometry, 45), xOfStep(shown.geometry, 55)];
    for (const { from, stroke } of pen.of("line")) {
      const [start, end] = [from[0] - stroke.width / 2, from[0] + stroke.width / 2];
      expect(end <= left || start >= right).toBe(true);
    }
    expect(pen.of("line")).toHaveLength(4);
  });

  it("marks both sides of the first and the last step inside the picture", () => {
    for (const step of [0, 100]) {
      const pen = new RecordingPen();
      paintOverlay(pen, AREA, PALETTE, picture(), { ...OVERLAY, step });
      for (const { from, stroke } of pen.of("line")) {
        expect(from[0] - stroke.width / 2).toBeGreaterThanOrEqual(0);
        expect(from[0] + stroke.width / 2).toBeLessThanOrEqual(AREA.width);
      }
    }
  });

  it("outlines the cell under the pointer and the row of the selection", () => {
    const pen = new RecordingPen();
    paintOverlay(pen, AREA, PALETTE, picture(), { ...OVERLAY, hovered: { row: 1, step: 50 }, selected: 3 });
    expect(pen.of("outline").map(({ box }) => [box.x, box.y, box.width])).toEqual([
      [1, 54, 218],
      [99.5, 17.5, 21],
    ]);
  });
});

describe("axis of steps", () => {
  it("writes the current step and makes room for it", () => {
    const pen = new RecordingPen();
    paintSteps(pen, { width: 220, height: 20 }, PALETTE, picture().geometry, 52);
    expect(pen.texts()).toEqual(["0", "100", "52"]);
  });
});
