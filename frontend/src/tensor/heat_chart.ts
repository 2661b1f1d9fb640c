/*
 * Draws one plane as a heat map with its indices along both axes.
 *
 * The one invariant: where there are fewer pixels than elements, a pixel shows the element with the largest magnitude, and `blocks` says so.
 */

import type { Palette } from "../draw/palette";
import type { Box, Pen } from "../draw/pen";
import type { CssPixels } from "../units";
import { roundStep } from "../charts/scale";
import { drawMarks } from "./marks";
import { type Ink, paintPlane } from "./paint";
import { type Plane, reducePlane } from "./plane";

/** What the index of a row or column is written as. */
export type IndexLabel = (part: "row" | "column", place: number) => string;

export interface HeatPicture {
  readonly plane: Plane;
  readonly ink: Ink;
  readonly rowName: string;
  readonly columnName: string;
  readonly label: IndexLabel;
}

export interface HeatLayout {
  readonly box: Box;
  readonly rowBlock: number;
  readonly columnBlock: number;
}

const MARGINS = { left: 46, right: 4, top: 4, bottom: 18 };
/** Nothing above it is cut off. */
const HALF_LINE: CssPixels = 6;
const LARGEST_CELL: CssPixels = 34;
const GAP_FROM: CssPixels = 7;

/** The cells keep a moderate size: a [1, 3] matrix doesn't become a flag. */
export function heatLayout(plane: Plane, width: CssPixels, height: CssPixels): HeatLayout {
  const room = {
    width: Math.max(1, width - MARGINS.left - MARGINS.right),
    height: Math.max(1, height - MARGINS.top - MARGINS.bottom),
  };
  const rowBlock = Math.max(1, Math.ceil(plane.rows / Math.floor(room.height)));
  const columnBlock = Math.max(1, Math.ceil(plane.columns / Math.floor(room.width)));
  const [rows, columns] = [Math.ceil(plane.rows / rowBlock), Math.ceil(plane.columns / columnBlock)];
  const cellWidth = wholeFrom(2, Math.min(2 * LARGEST_CELL, room.width / columns));
  const cellHeight = wholeFrom(2, Math.min(LARGEST_CELL, room.height / rows));
  return {
    box: { x: MARGINS.left, y: MARGINS.top, width: cellWidth * columns, height: cellHeight * rows },
    rowBlock,
    columnBlock,
  };
}

function wholeFrom(limit: number, size: CssPixels): CssPixels {
  return size >= limit ? Math.floor(size) : size;
}

export function drawHeat(
  pen: Pen,
  width: CssPixels,
  height: CssPixels,
  picture: HeatPicture,
  palette: Palette,
): HeatLayout {
  const layout = heatLayout(picture.plane, width, height);
  const { box } = layout;
  const { plane } = reducePlane(
    picture.plane,
    Math.ceil(picture.plane.rows / layout.rowBlock),
    Math.ceil(picture.plane.columns / layout.columnBlock),
  );
  const { pixels, marks } = paintPlane(plane, picture.ink.coloring.scale, picture.ink.map);
  pen.image(pixels, box);
  drawCellGaps(pen, box, plane, palette);
  drawMarks(pen, box, plane.rows, plane.columns, marks, palette);
  pen.outline(
    { x: box.x - 0.5, y: box.y - 0.5, width: box.width + 1, height: box.height + 1 },
    { color: palette.tile, width: 1 },
  );
  drawIndices(pen, layout, picture, palette);
  return layout;
}

/** Hairlines between cells that are large enough to be told apart. */
function drawCellGaps(pen: Pen, box: Box, plane: Plane, palette: Palette): void {
  const [width, height] = [box.width / plane.columns, box.height / plane.rows];
  if (width < GAP_FROM || height < GAP_FROM) return;
  const stroke = { color: palette.surface, width: 1 };
  for (let column = 1; column < plane.columns; column += 1) {
    const x = box.x + column * width - 0.5;
    pen.line(x, box.y, x, box.y + box.height, stroke);
  }
  for (let row = 1; row < plane.rows; row += 1) {
    const y = box.y + row * height - 0.5;
    pen.line(box.x, y, box.x + box.width, y, stroke);
  }
}

/** Round indices with room between them. */
export function indexTicks(count: number, pixels: CssPixels, distance: CssPixels): number[] {
  const most = Math.max(1, Math.floor(pixels / distance));
  const step = count <= most ? 1 : Math.max(1, Math.ceil(roundStep(0, count, most)));
  return Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step);
}

function drawIndices(pen: Pen, { box }: HeatLayout, picture: HeatPicture, palette: Palette): void {
  const { rows, columns } = picture.plane;
  for (const row of indexTicks(rows, box.height, 22)) {
    const y = Math.max(HALF_LINE, box.y + ((row + 0.5) / rows) * box.height);
    pen.text(picture.label("row", row), box.x - 6, y, { color: palette.ink3, align: "right" });
  }
  const bottom = box.y + box.height + 10;
  for (const column of indexTicks(columns, box.width, 38)) {
    const x = box.x + ((column + 0.5) / columns) * box.width;
    pen.text(picture.label("column", column), x, bottom, { color: palette.ink3, align: "center" });
  }
  drawAxisName(pen, picture.columnName, box.x, bottom, palette);
}

/** What the numbers along the lower edge count, left of them; smaller where it would not find room. */
export function drawAxisName(pen: Pen, name: string, left: CssPixels, y: CssPixels, palette: Palette): void {
  const text = `${name} →`;
  const size = pen.textWidth(text) > MARGINS.left - 8 ? 9 : 11;
  pen.text(text, left - 6, y, { color: palette.ink3, align: "right", size });
}

/** Where an element is drawn, alone or with those that share its pixels. */
export function heatCellBox(
  { box, rowBlock, columnBlock }: HeatLayout,
  plane: Plane,
  row: number,
  column: number,
): Box {
  const [width, height] = [
    box.width / Math.ceil(plane.columns / columnBlock),
    box.height / Math.ceil(plane.rows / rowBlock),
  ];
  const [x, y] = [Math.floor(column / columnBlock), Math.floor(row / rowBlock)];
  return { x: box.x + x * width, y: box.y + y * height, width, height };
}

/** The element under a point; undefined beside the cells. */
export function heatCellAt(
  layout: HeatLayout,
  plane: Plane,
  x: CssPixels,
  y: CssPixels,
): { row: number; column: number } | undefined {
  const { box } = layout;
  const column =
    Math.floor(((x - box.x) / box.width) * Math.ceil(plane.columns / layout.columnBlock)) * layout.columnBlock;
  const row = Math.floor(((y - box.y) / box.height) * Math.ceil(plane.rows / layout.rowBlock)) * layout.rowBlock;
  return column >= 0 && row >= 0 && column < plane.columns && row < plane.rows ? { row, column } : undefined;
}
