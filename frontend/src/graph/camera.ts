/**
 * The camera of the graph: which part of the page is seen, how large. All functions are pure.
 *
 * The one invariant: fitting makes boxes only so small that what is written on them still fits at 11 px; what doesn't fit then is reached by panning.
 */

import type { Box } from "../draw/pen";
import type { CssPixels } from "../units";

/** `screen = page × zoom + offset`. */
export interface Camera {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly zoom: number;
}

export interface Size {
  readonly width: CssPixels;
  readonly height: CssPixels;
}

export const SMALLEST_ZOOM = 0.05;
export const LARGEST_ZOOM = 3;
const LARGEST_FIT = 1.15;
export const SMALLEST_FIT = 0.85;
export const MARGIN: CssPixels = 16;

/** The whole page if it can be read then, else a part of it: the box `aim`, in the middle of the axis that the page is too long for. */
export function fit(page: Size, view: Size, aim: Box): Camera {
  const rooms = [(view.width - 2 * MARGIN) / page.width, (view.height - 2 * MARGIN) / page.height];
  const room = Math.min(...rooms);
  const zoom = room >= SMALLEST_FIT ? Math.min(LARGEST_FIT, room) : Math.min(1, Math.max(SMALLEST_FIT, ...rooms));
  return {
    x: centre(zoom, page.width, view.width, aim.x, aim.width),
    y: centre(zoom, page.height, view.height, aim.y, aim.height),
    zoom,
  };
}

/** Along one axis: the middle of `start`, `size` in the middle of the view, as far as the page reaches; a page that is short enough is in the middle itself. */
function centre(zoom: number, page: CssPixels, view: CssPixels, start: CssPixels, size: CssPixels): CssPixels {
  const slack = view - page * zoom;
  if (slack >= 2 * MARGIN) return Math.round(slack / 2);
  return Math.round(Math.min(MARGIN, Math.max(slack - MARGIN, view / 2 - (start + size / 2) * zoom)));
}

/** The whole page, however small that is: what the minimap shows, and where zooming out ends. */
export function overview(page: Size, view: Size): Camera {
  const room = Math.min((view.width - 2 * MARGIN) / page.width, (view.height - 2 * MARGIN) / page.height);
  const zoom = Math.min(LARGEST_FIT, Math.max(SMALLEST_ZOOM, room));
  return { x: (view.width - page.width * zoom) / 2, y: (view.height - page.height * zoom) / 2, zoom };
}

/** Enlarges by `factor`; the point of the page under (x, y) stays there. */
export function zoomAt(camera: Camera, factor: number, x: CssPixels, y: CssPixels): Camera {
  const zoom = Math.min(LARGEST_ZOOM, Math.max(SMALLEST_ZOOM, camera.zoom * factor));
  const ratio = zoom / camera.zoom;
  return { x: x - (x - camera.x) * ratio, y: y - (y - camera.y) * ratio, zoom };
}

/** Moves the page by a distance on the screen, but never wholly out of sight. */
export function pan(camera: Camera, dx: CssPixels, dy: CssPixels, page: Size, view: Size): Camera {
  const keep = (offset: CssPixels, extent: CssPixels, available: CssPixels): CssPixels =>
    Math.min(available - 2 * MARGIN, Math.max(2 * MARGIN - extent * camera.zoom, offset));
  return {
    ...camera,
    x: keep(camera.x + dx, page.width, view.width),
    y: keep(camera.y + dy, page.height, view.height),
  };
}

/** Brings `box` to the middle of each axis on which it is not wholly in view; what is in view stays where it is. */
export function reveal(camera: Camera, box: Box, page: Size, view: Size): Camera {
  const { zoom } = camera;
  const axis = (
    offset: CssPixels,
    start: CssPixels,
    size: CssPixels,
    extent: CssPixels,
    available: CssPixels,
  ): CssPixels => {
    const low = start * zoom + offset;
    if (low >= MARGIN && low + size * zoom <= available - MARGIN) return offset;
    if (size * zoom <= available - 2 * MARGIN) return centre(zoom, extent, available, start, size);
    return Math.round(offset + MARGIN - low);
  };
  return {
    x: axis(camera.x, box.x, box.width, page.width, view.width),
    y: axis(camera.y, box.y, box.height, page.height, view.height),
    zoom,
  };
}

export interface Point {
  readonly x: CssPixels;
  readonly y: CssPixels;
}

export function toPage(camera: Camera, x: CssPixels, y: CssPixels): Point {
  return { x: (x - camera.x) / camera.zoom, y: (y - camera.y) / camera.zoom };
}

/** The part of the page that is seen. */
export function visiblePart(camera: Camera, view: Size): Box {
  const corner = toPage(camera, 0, 0);
  return { ...corner, width: view.width / camera.zoom, height: view.height / camera.zoom };
}

/** The camera as an address names it: the place in the middle of the view, as shares of the page, and the zoom; so it holds for a view of any size. */
export function writeCamera(camera: Camera, page: Size, view: Size): string {
  const { x, y } = toPage(camera, view.width / 2, view.height / 2);
  return [x / page.width, y / page.height, camera.zoom].map((part) => Number(part.toFixed(4))).join();
}

/** The inverse of `writeCamera`; null for any other text. */
export function readCamera(text: string, page: Size, view: Size): Camera | null {
  const [x, y, zoom, ...more] = text.split(",").map(Number);
  if (more.length > 0 || !(Math.abs(x) + Math.abs(y) + zoom < Infinity)) return null;
  const centred = { x: view.width / 2 - x * page.width, y: view.height / 2 - y * page.height, zoom: 1 };
  return pan(zoomAt(centred, zoom, view.width / 2, view.height / 2), 0, 0, page, view);
}

export function intersects(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
