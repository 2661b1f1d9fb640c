/**
 * The upper canvas: all that depends on the step, the selection, the pointer or the keyboard: cells, numbers, marks and outlines.
 *
 * The one invariant: painting it reads the scene and never changes it, so that scrubbing repaints this canvas alone.
 */

import { CanvasPen } from "../draw/canvas_pen";
import type { Context } from "../draw/context";
import { colormap } from "../colormap";
import type { Box } from "../draw/pen";
import type { CssPixels } from "../units";
import { BOX_HEIGHT, CELL_WIDTH, MINI_CELL, MOST_MINI_CELLS, textStart } from "./boxes";
import { fillOf, miniCells, type Cell, type CellOf, type Mark } from "./cells";
import { HEADER } from "./layout/nested";
import { drawSeverity } from "./marks";
import {
  seenItems,
  setFont,
  tracePath,
  traceHead,
  enterPage,
  ZOOM_OF_NUMBER,
  ZOOM_OF_TITLE,
  type Picture,
} from "./paint";
import { routesBetween } from "./scene";
import type { ColormapName } from "../colormap";

export interface StepPicture extends Picture {
  /** Null before the values of a step are known. */
  readonly cellOf: CellOf | null;
  readonly map: ColormapName;
  /** Colours show the severity of findings, not the map. */
  readonly byFindings: boolean;
  readonly marks: ReadonlyMap<number, Mark>;
  /** Items; −1 for none. */
  readonly selected: number;
  readonly hovered: number;
  readonly focused: number;
}

const MINI_CELL_TOP = 25;
/** Of the two corners that a cell shares with its box. */
const CELL_RADIUS: CssPixels = 3.5;
const UNKNOWN: Cell = { kind: "nothing", text: "", place: -1 };

/** The colours of a cell's ground and of what is written on it. */
function colorsOf({ ink, marks, byFindings, map: name }: StepPicture, cell: Cell, item: number): [string, string] {
  const mark = marks.get(item);
  if (byFindings && mark?.now === true) return [ink.severityPaper[mark.severity], ink.severity[mark.severity]];
  if (byFindings || cell.kind !== "color") return [ink.none, ink.ink2];
  const map = colormap(name);
  return [fillOf(cell, map), map.ink[cell.place]];
}

/** Fills the ground of a cell, and gives the colour of what is written on it. */
function fillCell(
  context: Context,
  picture: StepPicture,
  cell: Cell,
  box: Box,
  item: number,
  radius: CssPixels = 0,
): string {
  const { ink } = picture;
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, [radius, 0, 0, radius]);
  if (cell.kind === "nonfinite" && !picture.byFindings) {
    context.save();
    context.clip();
    new CanvasPen(context, ink.font).hatch(box, { ...ink.nanHatch, gap: 5, width: 2.5 });
    context.restore();
    return ink.ink;
  }
  const [ground, color] = colorsOf(picture, cell, item);
  context.fillStyle = ground;
  context.fill();
  return color;
}

function paintCell(
  context: Context,
  picture: StepPicture,
  cell: Cell,
  box: Box,
  item: number,
  radius?: CssPixels,
): void {
  const { ink } = picture;
  const color = fillCell(context, picture, cell, box, item, radius);
  if (picture.camera.zoom < ZOOM_OF_NUMBER) return;
  if (cell.kind === "nonfinite" && !picture.byFindings) {
    const width = context.measureText(cell.text).width + 8;
    context.fillStyle = ink.surface;
    context.fillRect(box.x + (box.width - width) / 2, box.y + box.height / 2 - 8, width, 16);
  }
  context.fillStyle = color;
  context.fillText(cell.text, box.x + box.width / 2, box.y + box.height / 2 + 4);
}

function paintMiniCells(context: Context, picture: StepPicture, item: number): void {
  const { scene, cellOf } = picture;
  if (cellOf === null) return;
  const text = scene.texts[item];
  const { x, y } = scene.boxes[item];
  miniCells(text.cells, cellOf, MOST_MINI_CELLS).forEach((cell, index) => {
    const box = {
      x: x + textStart(text) + index * MINI_CELL,
      y: y + MINI_CELL_TOP,
      width: MINI_CELL - 1,
      height: MINI_CELL - 1,
    };
    fillCell(context, picture, cell, box, item);
  });
}

function paintItem(context: Context, picture: StepPicture, item: number): void {
  const { scene, cellOf } = picture;
  const { x, y, width } = scene.boxes[item];
  const text = scene.texts[item];
  const cell = text.node < 0 || cellOf === null ? UNKNOWN : cellOf(text.node);
  if (scene.visible.items[item].open) {
    if (text.state !== "materialized" || picture.camera.zoom < ZOOM_OF_NUMBER) return;
    paintCell(
      context,
      picture,
      cell,
      { x: x + width - CELL_WIDTH - 4, y: y + 4, width: CELL_WIDTH, height: HEADER - 6 },
      item,
    );
    return;
  }
  if (text.state === "materialized") {
    const box = { x: x + 1, y: y + 1, width: CELL_WIDTH - 1, height: BOX_HEIGHT - 2 };
    paintCell(context, picture, cell, box, item, CELL_RADIUS);
  }
  if (text.cells.length > 0) paintMiniCells(context, picture, item);
}

function outline(context: Context, box: Box, color: string, width: number, grow: number, open: boolean): void {
  context.beginPath();
  context.roundRect(
    box.x - grow + 0.5,
    box.y - grow + 0.5,
    box.width + 2 * grow - 1,
    box.height + 2 * grow - 1,
    4 + grow + (open ? 1 : 0),
  );
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

/** The lines of one item's edges, through all scopes, and an outline around what they lead to. */
function paintLinks(context: Context, { scene, ink, camera }: StepPicture, item: number): void {
  const routes = new Set([
    ...scene.sources[item].flatMap((source) => routesBetween(scene, source, item)),
    ...scene.targets[item].flatMap((target) => routesBetween(scene, item, target)),
  ]);
  const scale = Math.min(1, camera.zoom);
  context.strokeStyle = context.fillStyle = ink.ink;
  context.lineWidth = 1.8 / scale;
  context.beginPath();
  for (const route of routes) tracePath(context, route);
  context.stroke();
  context.beginPath();
  for (const route of routes) traceHead(context, route, route.port ? 6 : 8);
  context.fill();
  for (const other of [...scene.sources[item], ...scene.targets[item]])
    outline(context, scene.boxes[other], ink.ink, 1.2 / scale, 0, scene.visible.items[other].open);
}

function paintSelection(context: Context, picture: StepPicture): void {
  const { scene, ink, selected, hovered, focused } = picture;
  const open = (item: number): boolean => scene.visible.items[item].open;
  if (hovered > 0 && hovered !== selected) outline(context, scene.boxes[hovered], ink.ink2, 1.5, 0, open(hovered));
  if (selected > 0) {
    paintLinks(context, picture, selected);
    outline(context, scene.boxes[selected], ink.hereLine, 2.5, 0.5, open(selected));
  }
  if (focused > 0) outline(context, scene.boxes[focused], ink.focus, 2, 3, open(focused));
}

/** Paints the upper canvas. */
export function paintStep(context: Context, picture: StepPicture): void {
  context.save();
  enterPage(context, picture);
  const seen = seenItems(picture);
  // Once for all numbers: a context reads a font anew each time, which took more than to write with it.
  setFont(context, picture.ink, Math.max(11.5, 11 / picture.camera.zoom), true);
  context.textAlign = "center";
  for (const item of seen) paintItem(context, picture, item);
  paintSelection(context, picture);
  if (picture.camera.zoom >= ZOOM_OF_TITLE) {
    for (const item of seen) {
      const mark = picture.marks.get(item);
      const box = picture.scene.boxes[item];
      if (mark !== undefined)
        drawSeverity(context, mark.severity, mark.now, box.x + box.width - 3, box.y + 1, picture.ink);
    }
  }
  context.restore();
}
