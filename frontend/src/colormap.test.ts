import { expect, test } from "vitest";
import { makeScale } from "./charts/scale";
import {
  buildColormap,
  colorIndex,
  coloringOf,
  finiteRange,
  luminance,
  magnitudePercentile,
  NAN_INDEX,
  NEGATIVE_INFINITY_INDEX,
  parseColor,
  POSITIVE_INFINITY_INDEX,
} from "./colormap";

test("a map starts and ends at its outer stops and passes through the inner ones", () => {
  const map = buildColormap("#000000, #ff8000 ,#ffffff");
  expect([map.css[0], map.css[255]]).toEqual(["rgb(0,0,0)", "rgb(255,255,255)"]);
  expect(map.css[127]).toBe("rgb(254,127,0)");
  expect(map.pixels[255]).toBe(0xffffffff);
  expect(map.pixels[0]).toBe(0xff000000);
  expect(map.pixels.length).toBe(256);
});

test("red stands in the lowest byte, as ImageData wants it", () => {
  const bytes = new Uint8Array(buildColormap("#102030,#102030").pixels.buffer);
  expect([...bytes.slice(0, 4)]).toEqual([0x10, 0x20, 0x30, 0xff]);
});

test("the ink on every entry of a map can be read (WCAG AA)", () => {
  const stops = "#f3e526,#addc30,#5ec962,#28ae80,#21918c,#2c728e,#3b528b,#472d7b,#440154";
  const map = buildColormap(stops);
  map.css.forEach((css, index) => {
    const background = luminance(css.match(/\d+/g)!.map(Number) as [number, number, number]);
    const ink = luminance(parseColor(map.ink[index]));
    const contrast = (Math.max(background, ink) + 0.05) / (Math.min(background, ink) + 0.05);
    expect(contrast).toBeGreaterThanOrEqual(4.5);
  });
});

test("what is not finite has no colour of the map", () => {
  const scale = makeScale("linear", 0, 1);
  expect([NaN, Infinity, -Infinity].map((value) => colorIndex(scale, value))).toEqual([
    NAN_INDEX,
    POSITIVE_INFINITY_INDEX,
    NEGATIVE_INFINITY_INDEX,
  ]);
  expect([-5, 0, 0.5, 1, 7].map((value) => colorIndex(scale, value))).toEqual([0, 0, 128, 255, 255]);
});

test("signed data are symmetric about zero, so that zero is the middle of the map", () => {
  const { map, scale } = coloringOf(-0.5, 4);
  expect([map, scale.low, scale.high, scale.unit(0)]).toEqual(["div", -4, 4, 0.5]);
  expect(coloringOf(0, 3).map).toBe("dens");
  expect(coloringOf(0, 3).scale.unit(0)).toBe(0);
});

test("all zero has a domain, and zero is at its low end", () => {
  const { scale } = coloringOf(0, 0);
  expect(colorIndex(scale, 0)).toBe(0);
});

test("ranges and percentiles look at finite values only", () => {
  expect(finiteRange(new Float32Array([NaN, 3, -2, Infinity]))).toEqual({ low: -2, high: 3 });
  expect(finiteRange([NaN, -Infinity])).toBeUndefined();
  const values = Float32Array.from({ length: 1000 }, (_, index) => (index % 2 ? -1 : 1) * index);
  expect(magnitudePercentile(values, 0.995)).toBe(994);
  expect(magnitudePercentile(values, 1)).toBe(999);
  expect(magnitudePercentile([NaN], 0.5)).toBe(0);
});
