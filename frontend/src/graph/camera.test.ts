import { describe, expect, it } from "vitest";
import {
  fit,
  LARGEST_ZOOM,
  MARGIN,
  overview,
  pan,
  reveal,
  SMALLEST_ZOOM,
  toPage,
  readCamera,
  visiblePart,
  writeCamera,
  zoomAt,
} from "./camera";
import { minimapCamera, minimapSize, cameraAt, needsMinimap } from "./minimap";

const VIEW = { width: 800, height: 400 };
const FIRST = { x: 900, y: 0, width: 100, height: 38 };

describe("camera", () => {
  it("centres a page that fits, and enlarges it a little at most", () => {
    expect(fit({ width: 400, height: 300 }, VIEW, FIRST)).toEqual({ x: 170, y: 28, zoom: 1.15 });
  });

  it("makes a page smaller to show all of it, but no smaller than can be read", () => {
    expect(fit({ width: 880, height: 300 }, VIEW, FIRST)).toEqual({ x: 16, y: 69, zoom: 768 / 880 });
    const camera = fit({ width: 2000, height: 3000 }, VIEW, FIRST);
    expect(camera.zoom).toBe(0.85);
    expect(FIRST.x * camera.zoom + camera.x).toBe(358);
    expect(camera.y).toBe(16);
  });

  it("doesn't make a page smaller that is too long either way", () => {
    expect(fit({ width: 2000, height: 300 }, VIEW, FIRST).zoom).toBe(1);
    expect(fit({ width: 2000, height: 400 }, VIEW, FIRST).zoom).toBe(0.92);
  });

  it("doesn't pan beyond the page to centre its first box", () => {
    expect(fit({ width: 2000, height: 300 }, VIEW, { ...FIRST, x: 0 }).x).toBe(16);
    expect(fit({ width: 2000, height: 300 }, VIEW, { ...FIRST, x: 1900 }).x).toBe(800 - 2000 - 16);
  });

  it("keeps the place under the pointer while zooming, and stops at its limits", () => {
    const camera = { x: 30, y: -70, zoom: 1 };
    const before = toPage(camera, 200, 100);
    const after = toPage(zoomAt(camera, 1.7, 200, 100), 200, 100);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
    expect(zoomAt(camera, 1e-9, 0, 0).zoom).toBe(SMALLEST_ZOOM);
  });

  it("is read in a view of another size as it was written: the same place in the middle, at the same zoom", () => {
    const page = { width: 2000, height: 1000 };
    const other = { width: 300, height: 900 };
    const text = writeCamera({ x: -350, y: -120, zoom: 1.25 }, page, VIEW);
    // (400 + 350) / 1.25 = 600 of 2000; (200 + 120) / 1.25 = 256 of 1000.
    expect(text).toBe("0.3,0.256,1.25");
    const camera = readCamera(text, page, other)!;
    expect(camera.zoom).toBe(1.25);
    expect(toPage(camera, 150, 450)).toEqual({ x: 600, y: 256 });
    expect(writeCamera(camera, page, other)).toBe(text);
  });

  it("refuses other texts, and keeps to its limits", () => {
    const page = { width: 2000, height: 1000 };
    for (const text of ["", "x", "1,2", "1,2,3,4", "NaN,0,1", "0,1e999,1"])
      expect(readCamera(text, page, VIEW)).toBeNull();
    expect(readCamera("0.5,0.5,99", page, VIEW)?.zoom).toBe(LARGEST_ZOOM);
    expect(readCamera("50,50,1", page, VIEW)).toEqual(pan({ x: -1e9, y: -1e9, zoom: 1 }, 0, 0, page, VIEW));
  });

  it("never loses the page when panning", () => {
    const page = { width: 500, height: 500 };
    const camera = pan({ x: 0, y: 0, zoom: 1 }, -1e6, 1e6, page, VIEW);
    const part = visiblePart(camera, VIEW);
    expect(part.x).toBeLessThan(page.width);
    expect(part.y + part.height).toBeGreaterThan(0);
  });

  it("leaves a box that is in view where it is, and brings any other to the middle", () => {
    const camera = { x: 0, y: 0, zoom: 1 };
    const page = { width: 4000, height: 300 };
    expect(reveal(camera, { x: 100, y: 100, width: 100, height: 38 }, page, VIEW)).toEqual(camera);
    expect(reveal(camera, { x: 2000, y: 100, width: 100, height: 38 }, page, VIEW)).toEqual({
      x: -1650,
      y: 0,
      zoom: 1,
    });
  });

  it("brings a box at the end of the page into view without showing half a view of nothing", () => {
    const page = { width: 4000, height: 300 };
    const last = reveal({ x: 0, y: 0, zoom: 1 }, { x: 3900, y: 100, width: 100, height: 38 }, page, VIEW);
    expect(last.x).toBe(VIEW.width - 4000 - MARGIN);
    expect(reveal(last, { x: 0, y: 100, width: 100, height: 38 }, page, VIEW).x).toBe(MARGIN);
  });

  it("shows the whole page when asked to", () => {
    const page = { width: 4000, height: 1000 };
    const part = visiblePart(overview(page, VIEW), VIEW);
    expect(part.width).toBeGreaterThanOrEqual(page.width);
    expect(part.height).toBeGreaterThanOrEqual(page.height);
  });
});

describe("minimap", () => {
  it("holds the whole page, however large", () => {
    const page = { width: 90_000, height: 2000 };
    const { x, y, zoom } = minimapCamera(page, VIEW);
    const { width, height } = minimapSize(page, VIEW);
    expect(x).toBeGreaterThanOrEqual(0);
    expect(page.width * zoom + x).toBeLessThanOrEqual(width);
    expect(page.height * zoom + y).toBeLessThanOrEqual(height);
  });

  it("takes no more of a low view than the page needs", () => {
    expect(minimapSize({ width: 3000, height: 300 }, VIEW)).toEqual({ width: 168, height: 24 });
    expect(minimapSize({ width: 1000, height: 3000 }, { width: 1000, height: 200 })).toEqual({
      width: 168,
      height: 80,
    });
  });

  it("brings the place pressed to the middle of the view", () => {
    const page = { width: 5000, height: 5000 };
    const camera = cameraAt(page, { x: 0, y: 0, zoom: 1 }, VIEW, 84, 56);
    expect(toPage(camera, 400, 200)).toEqual({ x: 2500, y: 2500 });
  });

  it("is shown for a page much larger than a view that has room for it", () => {
    const camera = { x: 0, y: 0, zoom: 1 };
    expect(needsMinimap({ width: 3000, height: 300 }, camera, VIEW)).toBe(true);
    expect(needsMinimap({ width: 900, height: 300 }, camera, VIEW)).toBe(false);
    expect(needsMinimap({ width: 3000, height: 300 }, camera, { width: 800, height: 170 })).toBe(false);
    expect(needsMinimap({ width: 3000, height: 300 }, camera, { width: 1000, height: 230 })).toBe(true);
  });
});
