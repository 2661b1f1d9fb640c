/**
 * The lower canvas: frames, edges, boxes and their texts: all that a new step doesn't change.
 *
 * The one invariant: what lies outside the view is not drawn, and no text is smaller than 11 px on the screen. Zoomed out, texts keep their size and are
 * shortened, then left out: first the second line, then the number, then the name.
 */

import type { Context } from "../draw/context";
import type { Box } from "../draw/pen";
import type { CssPixels } from "../units";
import { CHEVRON_WIDTH, DETAIL_SIZE, shorten, textStart, TITLE_SIZE, type Measure } from "./boxes";
import { intersects, visiblePart, type Camera, type Size } from "./camera";
import type { Ink } from "./ink";
import { HEADER } from "./layout/nested";
import { drawChevron, drawState } from "./marks";
import type { Route, Scene } from "./scene";

const SMALLEST_TEXT: CssPixels = 11;
export const ZOOM_OF_DETAIL = 0.78;
export const ZOOM_OF_NUMBER = 0.8;
export const ZOOM_OF_TITLE = 0.36;
const ZOOM_OF_HEADER = 0.55;
const RADIUS: CssPixels = 4;
/** From the left edge of the view to a title whose scope begins farther left, and what a title leaves of its scope. */
const PINNED: CssPixels = 24;
const TITLE_ROOM: CssPixels = 140;

export interface Picture {
  readonly scene: Scene;
  readonly camera: Camera;
  readonly view: Size;
  readonly ink: Ink;
}

export interface ScenePicture extends Picture {
  /** Item; −1 for none. */
  readonly selected: number;
  /** Draw the way of the gradients too. */
  readonly gradients: boolean;
}

/** Font size in page units so that the text is `size` at zoom 1 and never below 11 px on the screen. */
const fontSize = (size: CssPixels, zoom: number): number => Math.max(size, SMALLEST_TEXT / zoom);

export function setFont(context: Context, ink: Ink, size: CssPixels, bold = false): void {
  context.font = `${bold ? "600 " : ""}${size}px ${ink.font}`;
}

/** From here on `context` takes page coordinates. */
export function enterPage(context: Context, { camera }: Picture): void {
  context.translate(camera.x, camera.y);
  context.scale(camera.zoom, camera.zoom);
  context.lineJoin = "round";
  context.textBaseline = "alphabetic";
}

/** Items that are seen, in painting order: scopes before what is in them. */
export function seenItems({ scene, camera, view }: Picture, margin: CssPixels = 12): number[] {
  const { x, y, width, height } = visiblePart(camera, view);
  const part = { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
  const seen: number[] = [];
  for (let item = 1; item < scene.boxes.length; item += 1) if (intersects(scene.boxes[item], part)) seen.push(item);
  return seen;
}

export function seenRoutes({ scene, camera, view }: Picture): Route[] {
  const part = visiblePart(camera, view);
  return scene.routes.filter((route) => intersects(route.bounds, part));
}

/** From places across and along the flow of a route to x and y, and back. */
const turned = ({ direction }: Route, x: CssPixels, y: CssPixels): [CssPixels, CssPixels] =>
  direction === "down" ? [x, y] : [y, x];

/** Points with the same place across the flow are joined by a line, others by a curve that starts and ends along the flow. `shift` moves it aside. */
export function tracePath(context: Context, route: Route, shift = 0): void {
  const { points } = route;
  const [dx, dy] = turned(route, shift, 0);
  context.moveTo(points[0] + dx, points[1] + dy);
  for (let at = 2; at < points.length; at += 2) {
    const [across, along] = turned(route, points[at - 2] + dx, points[at - 1] + dy);
    const end = [points[at] + dx, points[at + 1] + dy] as const;
    const [toAcross, toAlong] = turned(route, ...end);
    const middle = (along + toAlong) / 2;
    if (across === toAcross) context.lineTo(...end);
    else context.bezierCurveTo(...turned(route, across, middle), ...turned(route, toAcross, middle), ...end);
  }
}

/** The head of an arrow at the last point of a route, or, `backwards`, at its first. */
export function traceHead(context: Context, route: Route, size: CssPixels, shift = 0, backwards = false): void {
  const { points } = route;
  const end = backwards ? 0 : points.length - 2;
  const inner = backwards ? 2 : points.length - 4;
  if (inner < 0 || inner >= points.length) return;
  const [across, along] = turned(route, points[end], points[end + 1]);
  const [, from] = turned(route, points[inner], points[inner + 1]);
  const back = along - (Math.sign(along - from) || 1) * size;
  context.moveTo(...turned(route, across + shift, along));
  for (const side of [-size / 2, size / 2]) context.lineTo(...turned(route, across + shift + side, back));
  context.closePath();
}

const lineWidth = (count: number): CssPixels => (count > 8 ? 2.6 : count > 1 ? 1.9 : 1.3);

function paintRoutes(context: Context, picture: Picture): void {
  const routes = seenRoutes(picture);
  context.strokeStyle = context.fillStyle = picture.ink.control;
  for (const width of new Set(routes.map((route) => lineWidth(route.count)))) {
    context.lineWidth = width;
    context.beginPath();
    for (const route of routes) if (!route.port && lineWidth(route.count) === width) tracePath(context, route);
    context.stroke();
  }
  context.lineWidth = 1;
  context.globalAlpha = 0.6;
  context.beginPath();
  for (const route of routes) if (route.port) tracePath(context, route);
  context.stroke();
  context.globalAlpha = 1;
  context.beginPath();
  for (const route of routes) traceHead(context, route, route.port ? 5 : 7);
  context.fill();
}

/** The way of the gradient beside each edge; a bar where it is cut off. */
function paintGradients(context: Context, picture: Picture): void {
  const routes = seenRoutes(picture).filter((route) => !route.port);
  context.strokeStyle = context.fillStyle = picture.ink.quantity.gradient;
  context.lineWidth = 1.3;
  context.setLineDash([4, 2]);
  context.beginPath();
  for (const route of routes) if (route.gradients > 0) tracePath(context, route, 5);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  for (const route of routes) if (route.gradients > 0) traceHead(context, route, 7, 5, true);
  context.fill();
  context.lineWidth = 2.5;
  context.beginPath();
  for (const route of routes) {
    if (route.gradients > 0) continue;
    const [x, y] = route.points.slice(-2);
    const [across, along] = turned(route, x, y);
    context.moveTo(...turned(route, across - 6, along - 10));
    context.lineTo(...turned(route, across + 6, along - 10));
  }
  context.stroke();
}

function paintLoops(context: Context, { scene, ink }: Picture): void {
  context.strokeStyle = ink.control;
  context.lineWidth = 1.3;
  for (const item of scene.visible.loops) {
    const { x, y, width } = scene.boxes[item];
    context.beginPath();
    context.arc(x + width - 12, y, 7, Math.PI * 0.9, Math.PI * 2.1);
    context.stroke();
  }
}

function paintFrame(context: Context, { scene, camera, ink }: Picture, item: number, measure: Measure): void {
  const { x, y, width, height } = scene.boxes[item];
  const text = scene.texts[item];
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, width - 1, height - 1, RADIUS + 1);
  context.globalAlpha = 0.025;
  context.fillStyle = ink.ink;
  context.fill();
  context.globalAlpha = 0.7;
  context.strokeStyle = text.state === null || text.state === "materialized" ? ink.control : ink.state[text.state];
  context.lineWidth = 1;
  context.stroke();
  context.globalAlpha = 1;
  if (camera.zoom < ZOOM_OF_HEADER) return;
  const left = titleStart(scene.boxes[item], camera);
  drawChevron(context, true, left + 12, y + HEADER / 2, ink);
  const size = fontSize(TITLE_SIZE, camera.zoom);
  setFont(context, ink, size, true);
  context.fillStyle = ink.ink;
  const room = x + width - left - 32;
  context.fillText(shorten(text.title, room, size, measure), left + 6 + CHEVRON_WIDTH, y + HEADER / 2 + 4);
}

/** Where the title of an open scope begins: in sight as long as some of the scope is. */
export function titleStart({ x, width }: Box, camera: Camera): CssPixels {
  return Math.min(Math.max(x, PINNED - camera.x / camera.zoom), x + Math.max(0, width - TITLE_ROOM));
}

function paintBox(context: Context, picture: ScenePicture, item: number, measure: Measure): void {
  const { scene, camera, ink } = picture;
  const { x, y, width, height } = scene.boxes[item];
  const text = scene.texts[item];
  const missing = text.state !== null && text.state !== "materialized";
  context.beginPath();
  context.roundRect(x + 0.5, y + 0.5, width - 1, height - 1, RADIUS);
  context.fillStyle = item === picture.selected ? ink.selected : ink.surface;
  context.fill();
  context.strokeStyle = missing ? ink.state[text.state] : ink.control;
  context.lineWidth = 1;
  context.setLineDash(text.state === "unreachable" ? [3, 3] : []);
  context.stroke();
  context.setLineDash([]);
  if (camera.zoom < ZOOM_OF_TITLE) return;
  if (missing) drawState(context, text.state, x + 15, y + height / 2, ink);
  const left = x + textStart(text);
  if (text.inside > 0) drawChevron(context, false, left - CHEVRON_WIDTH / 2 - 2, y + height / 2, ink);
  paintTexts(context, picture, item, { x: left, y, width: x + width - left - 6, height }, measure);
}

function paintTexts(context: Context, { scene, camera, ink }: Picture, item: number, box: Box, measure: Measure): void {
  const text = scene.texts[item];
  const twoLines = camera.zoom >= ZOOM_OF_DETAIL;
  const size = fontSize(TITLE_SIZE, camera.zoom);
  setFont(context, ink, size);
  context.fillStyle = ink.ink;
  const title = camera.zoom >= 1 ? text.title : shorten(text.title, box.width, size, measure);
  // Zoomed out, one line has the room of two, or, above small cells, half of it.
  const single = text.cells.length > 0 ? 10 + size * 0.45 : box.height / 2 + size * 0.35;
  const baseline = box.y + (twoLines ? 16 : single);
  context.fillText(title, box.x, baseline);
  if (!twoLines) return;
  setFont(context, ink, fontSize(DETAIL_SIZE, camera.zoom));
  context.fillStyle = ink.ink2;
  if (text.inside > 0) context.fillText(String(text.inside), box.x + measure(title, size) + 5, baseline);
  else
    context.fillText(
      camera.zoom >= 1 ? text.detail : shorten(text.detail, box.width, fontSize(DETAIL_SIZE, camera.zoom), measure),
      box.x,
      box.y + 31,
    );
}

/** Paints the lower canvas. */
export function paintScene(context: Context, picture: ScenePicture, measure: Measure): void {
  context.save();
  enterPage(context, picture);
  const seen = seenItems(picture);
  for (const item of seen) if (picture.scene.visible.items[item].open) paintFrame(context, picture, item, measure);
  paintRoutes(context, picture);
  if (picture.gradients) paintGradients(context, picture);
  for (const item of seen) if (!picture.scene.visible.items[item].open) paintBox(context, picture, item, measure);
  paintLoops(context, picture);
  context.restore();
}
