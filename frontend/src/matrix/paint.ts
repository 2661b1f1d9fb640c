/**
 * Painting the matrix: the heat map below, what follows step, pointer, keyboard and selection above, and the axis of steps.
 *
 * The one invariant: the data of the current step stay visible: it is marked by two lines beside its column, never over it.
 */

import { alignedIn, stepTicks } from "../charts/plot";
import { makeScale } from "../charts/scale";
import { type ColorbarPlace, drawColorbar } from "../charts/colorbar";
import { type Colormap, colormap, type Coloring, parseColor } from "../colormap";
import type { Palette } from "../draw/palette";
import { crisp, type Pen } from "../draw/pen";
import { formatCount, formatTick } from "../format";
import type { Matrix } from "../types";
import type { CssPixels, NodeIndex, Step } from "../units";
import type { Area } from "../widgets/canvas";
import type { ColumnEdges } from "../charts/timeline";
import { pixelColumns } from "./columns";
import { paintRows, rowPlaces, type HatchColors } from "./raster";
import { columnAt, xOfStep, yOfRow, type CellPlace, type Geometry } from "./geometry";

export interface MatrixPicture {
  readonly matrix: Matrix;
  readonly edges: ColumnEdges;
  readonly geometry: Geometry;
  readonly rows: readonly NodeIndex[];
  readonly map: Colormap;
  readonly shadingOf: (node: NodeIndex) => Coloring;
  /** Why a node has nothing of the quantity; null when it has. */
  readonly reasonOf: (node: NodeIndex) => string | null;
}

const packed = (color: string): number => {
  const [red, green, blue] = parseColor(color);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
};

function hatchColors(palette: Palette): HatchColors {
  return {
    nan: packed(palette.nan),
    nanPaper: packed(palette.nanPaper),
    none: packed(palette.surface),
    noneLine: packed(palette.tile),
    surface: packed(palette.surface),
  };
}

/** First and one past the last row that is seen. */
export function seenRows({ scrollTop, height, rowHeight, count }: Geometry): { first: number; end: number } {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight));
  return { first, end: Math.min(count, Math.ceil((scrollTop + height) / rowHeight)) };
}

/** The heat map of the rows that are seen, at `ratio` device pixels per CSS pixel. */
export function paintHeat(pen: Pen, area: Area, palette: Palette, picture: MatrixPicture, ratio: number): void {
  const { matrix, geometry, rows, map } = picture;
  const { first, end } = seenRows(geometry);
  if (end <= first || area.width < 1) return;
  const width = Math.round(area.width * ratio);
  const height = Math.round(geometry.rowHeight * ratio);
  const pixels = pixelColumns(picture.edges, geometry.range, width);
  const places = rows
    .slice(first, end)
    .map((node) => rowPlaces(matrix, { node, scale: picture.shadingOf(node).scale }, pixels));
  const data = paintRows(places, width, height, map, hatchColors(palette));
  pen.image(
    { data, width, height: height * places.length },
    { x: 0, y: yOfRow(geometry, first), width: area.width, height: geometry.rowHeight * places.length },
  );
  for (let row = first; row < end; row += 1) {
    const reason = picture.reasonOf(rows[row]);
    if (reason === null) continue;
    const y = yOfRow(geometry, row) + (geometry.rowHeight - 1) / 2;
    const text = { width: pen.textWidth(reason) + 12, height: geometry.rowHeight - 3 };
    pen.rect({ x: 6, y: y - text.height / 2, ...text }, { color: palette.surface });
    pen.text(reason, 12, y, { color: palette.ink2 });
  }
}

export interface Overlay {
  readonly step: Step | null;
  /** Step under the pointer, here or in another chart. */
  readonly hoverStep: Step | null;
  readonly hovered: CellPlace | null;
  readonly cursor: CellPlace | null;
  /** Place of the selected node among the rows; −1 without. */
  readonly selected: number;
  /** Steps that are being dragged over. */
  readonly brush: { readonly first: Step; readonly last: Step } | null;
}

/** Left and right border of the column that holds a step, at least 3 px apart. */
function columnSpan({ matrix, edges, geometry }: MatrixPicture, step: Step): [CssPixels, CssPixels] {
  const column = columnAt(matrix, edges, step);
  const [from, to] = column < 0 ? [step, step] : [edges.from[column], edges.to[column]];
  const [left, right] = [xOfStep(geometry, from), xOfStep(geometry, to)];
  const missing = Math.max(0, 3 - (right - left)) / 2;
  return [Math.round(left - missing), Math.round(right + missing)];
}

function outlineCell(
  pen: Pen,
  picture: MatrixPicture,
  { row, step }: CellPlace,
  color: string,
  width: CssPixels,
): void {
  const [left, right] = columnSpan(picture, step);
  const { rowHeight } = picture.geometry;
  pen.outline(
    { x: left - 0.5, y: yOfRow(picture.geometry, row) - 0.5, width: right - left + 1, height: rowHeight },
    { color, width },
  );
}

export function paintOverlay(pen: Pen, area: Area, palette: Palette, picture: MatrixPicture, overlay: Overlay): void {
  const { geometry } = picture;
  const here = { color: palette.hereLine, width: 2 };
  const bottom = Math.min(area.height, geometry.count * geometry.rowHeight - geometry.scrollTop);
  if (overlay.hoverStep !== null) {
    const x = crisp(xOfStep(geometry, overlay.hoverStep));
    pen.line(x, 0, x, bottom, { color: palette.ink, width: 1, dash: [1, 3] });
  }
  if (overlay.selected >= 0) {
    pen.outline(
      { x: 1, y: yOfRow(geometry, overlay.selected), width: area.width - 2, height: geometry.rowHeight - 1 },
      here,
    );
  }
  if (overlay.step !== null) {
    const [left, right] = columnSpan(picture, overlay.step);
    // On both sides of each line a hair of the surface, so that it is seen on every colour.
    for (const x of [Math.max(1.5, left - 1.5), Math.min(area.width - 1.5, right + 1.5)]) {
      pen.line(x, 0, x, bottom, { color: palette.surface, width: 3 });
      pen.line(x, 0, x, bottom, { color: palette.hereLine, width: 1.5 });
    }
  }
  if (overlay.hovered !== null) outlineCell(pen, picture, overlay.hovered, palette.ink, 1);
  if (overlay.cursor !== null) outlineCell(pen, picture, overlay.cursor, palette.ink, 2);
  if (overlay.brush !== null) {
    const [left, right] = [xOfStep(geometry, overlay.brush.first), xOfStep(geometry, overlay.brush.last)];
    pen.rect({ x: left, y: 0, width: right - left, height: bottom }, { color: palette.ink, opacity: 0.18 });
  }
}

export const barPlace = (height: CssPixels): ColorbarPlace => ({ x: 6, y: 22, height: height - 70 });

/** The colour bar with its title, and under it what the hatches mean. */
export function paintBar(pen: Pen, { height }: Area, palette: Palette, shading: Coloring, title: string): void {
  pen.text(title, 4, 8, { color: palette.ink2 });
  drawColorbar(pen, barPlace(height), shading, colormap(shading.map), palette);
  const key = { x: 6, width: 11, height: 11 };
  pen.hatch({ ...key, y: height - 40 }, palette.nanHatch);
  pen.text("NaN, Inf", 22, height - 34, { color: palette.ink2 });
  pen.hatch({ ...key, y: height - 22 }, palette.gapHatch);
  pen.outline({ x: 6.5, y: height - 21.5, width: 10, height: 10 }, { color: palette.tile, width: 1 });
  pen.text("none", 22, height - 16, { color: palette.ink2 });
}

const LABEL_WIDTH: CssPixels = 46;

/** Round steps under the heat map, and the current one in the colour of "you are here"; ticks that would touch it make room. */
export function paintSteps(pen: Pen, area: Area, palette: Palette, geometry: Geometry, step: Step | null): void {
  const at = step === null ? NaN : xOfStep(geometry, step);
  const place = { x: 0, width: area.width };
  for (const tick of stepTicks(makeScale("linear", geometry.range.first, geometry.range.last), area.width)) {
    const x = xOfStep(geometry, tick);
    if (x > area.width + 1 || Math.abs(x - at) < LABEL_WIDTH) continue;
    pen.line(crisp(x), 0, crisp(x), 4, { color: palette.control, width: 1 });
    pen.text(formatTick(tick), x, 11, { color: palette.ink3, align: alignedIn(place, x) });
  }
  if (step !== null && at >= -1 && at <= area.width + 1) {
    pen.text(formatCount(step), at, 11, { color: palette.hereInk, bold: true, align: alignedIn(place, at) });
  }
}
