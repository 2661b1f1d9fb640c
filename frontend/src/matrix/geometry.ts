/**
 * Places of the heat map: from pixels to rows and steps and back.
 *
 * The one invariant: a place on the canvas means the same row and column to pointer, keyboard and painter.
 */

import { type ColumnEdges, nearestColumn, type StepRange } from "../charts/timeline";
import type { Matrix } from "../types";
import type { CssPixels, Step } from "../units";

/** A cell: the row's place in `matrixRows`, and a step within a column. */
export interface CellPlace {
  readonly row: number;
  readonly step: Step;
}

export interface Geometry {
  readonly range: StepRange;
  readonly width: CssPixels;
  readonly height: CssPixels;
  readonly rowHeight: CssPixels;
  readonly scrollTop: CssPixels;
  readonly count: number;
}

export function xOfStep({ range, width }: Geometry, step: Step): CssPixels {
  return ((step - range.first) / (range.last - range.first)) * width;
}

export function stepAtX({ range, width }: Geometry, x: CssPixels): Step {
  return range.first + (x / width) * (range.last - range.first);
}

/** Top of a row on the canvas, which stays while the rows scroll. */
export function yOfRow({ rowHeight, scrollTop }: Geometry, row: number): CssPixels {
  return row * rowHeight - scrollTop;
}

/** The row at a height of the canvas; −1 below the last one. */
export function rowAtY(geometry: Geometry, y: CssPixels): number {
  const row = Math.floor((y + geometry.scrollTop) / geometry.rowHeight);
  return row >= 0 && row < geometry.count ? row : -1;
}

/** The column whose extent holds the step; −1 in a gap. */
export function columnAt(matrix: Matrix, edges: ColumnEdges, step: Step): number {
  const column = nearestColumn(matrix, step);
  return column >= 0 && step >= edges.from[column] && step <= edges.to[column] ? column : -1;
}
