/*
 * Draws what stands outside every colour map, over painted cells: NaN hatched in magenta, the infinities as arrows on ink.
 *
 * The one invariant: a mark is at least 5 px wide, however small its cell is. One NaN in a million elements is what the user came for.
 */

import type { Palette } from "../draw/palette";
import type { Box, Pen } from "../draw/pen";
import type { CssPixels } from "../units";
import type { Marks } from "./paint";

const SMALLEST_MARK: CssPixels = 5;

/** More marks than this per picture are not told apart any more; drawing them would only cost time. */
const MOST_MARKS = 4000;

/** Draws the marks of an image of `rows` × `columns` cells in `box`. */
export function drawMarks(pen: Pen, box: Box, rows: number, columns: number, marks: Marks, palette: Palette): void {
  const cell = (list: readonly number[], index: number): Box =>
    cellBox(box, rows, columns, list[index], list[index + 1]);
  for (let index = 0; index < Math.min(marks.nan.length, 2 * MOST_MARKS); index += 2)
    pen.hatch(cell(marks.nan, index), palette.nanHatch);
  for (let index = 0; index < Math.min(marks.positive.length, 2 * MOST_MARKS); index += 2)
    drawArrow(pen, cell(marks.positive, index), "up", palette);
  for (let index = 0; index < Math.min(marks.negative.length, 2 * MOST_MARKS); index += 2)
    drawArrow(pen, cell(marks.negative, index), "down", palette);
}

/** The box of a cell, grown about its middle to the smallest mark and kept inside the picture. */
export function cellBox(box: Box, rows: number, columns: number, row: number, column: number): Box {
  const width = Math.min(box.width, Math.max(SMALLEST_MARK, box.width / columns));
  const height = Math.min(box.height, Math.max(SMALLEST_MARK, box.height / rows));
  const x = box.x + ((column + 0.5) / columns) * box.width - width / 2;
  const y = box.y + ((row + 0.5) / rows) * box.height - height / 2;
  return {
    x: Math.min(box.x + box.width - width, Math.max(box.x, x)),
    y: Math.min(box.y + box.height - height, Math.max(box.y, y)),
    width,
    height,
  };
}

/** The cell that is read: dark within light, to be seen on every colour. */
export function drawReadCell(pen: Pen, { x, y, width, height }: Box, palette: Palette): void {
  pen.outline({ x: x - 1.5, y: y - 1.5, width: width + 3, height: height + 3 }, { color: palette.surface, width: 1 });
  pen.outline({ x: x - 0.5, y: y - 0.5, width: width + 1, height: height + 1 }, { color: palette.ink, width: 1 });
}

export function drawArrow(pen: Pen, box: Box, direction: "up" | "down", palette: Palette): void {
  pen.rect(box, { color: palette.inf });
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const size = Math.min(5, box.width / 2, box.height / 2);
  const tip = direction === "up" ? -size : size;
  pen.polygon([x, y + tip, x + size, y - tip, x - size, y - tip], { color: palette.infArrow });
}
