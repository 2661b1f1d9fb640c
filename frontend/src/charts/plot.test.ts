import { expect, test } from "vitest";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import { drawValueAxis } from "./plot";
import { makeScale } from "./scale";

test("the numbers of an axis don't lie on each other, however low the chart is", () => {
  const palette = makePalette((name) => name);
  for (const height of [20, 25, 30, 45, 61, 140]) {
    const pen = new RecordingPen();
    const box = { x: 40, y: 0, width: 200, height };
    drawValueAxis(pen, { box, x: makeScale("linear", 0, 1), y: makeScale("linear", -0.5, 12) }, palette);
    const places = pen.of("text").map(({ y }) => y);
    expect(places.length).toBeGreaterThan(0);
    const gaps = places.slice(1).map((y, index) => Math.abs(y - places[index]));
    expect(Math.min(20, ...gaps)).toBeGreaterThanOrEqual(11);
  }
});
