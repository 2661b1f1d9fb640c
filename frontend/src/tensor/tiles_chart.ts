/*
 * Draws an image grid: one tile per channel, head or filter, all in one scale or each in its own.
 *
 * The one invariant: a tile whose elements are 0 in every kept example is drawn as ∅ and never as an even colour, so that "nothing" can't be
 * mistaken for "the same everywhere".
 */

import type { Palette } from "../draw/palette";
import type { Box, Pen } from "../draw/pen";
import type { CssPixels } from "../units";
import { type GridLayout, tileBox } from "./grid_layout";
import { drawMarks } from "./marks";
import { type Ink, paintPlane } from "./paint";
import { type Plane, reducePlane } from "./plane";

export interface Tile {
  readonly plane: Plane;
  readonly ink: Ink;
  readonly zero: boolean;
  /** Over the tile, left and right; only where the layout has room for captions. */
  readonly caption?: readonly [string, string];
}

export interface TilesPicture {
  readonly tiles: readonly Tile[];
  readonly layout: GridLayout;
}

export function drawTiles(pen: Pen, picture: TilesPicture, palette: Palette): void {
  picture.tiles.forEach((tile, index) => {
    const box = tileBox(picture.layout, index);
    if (tile.caption !== undefined && picture.layout.caption > 0) drawCaption(pen, box, tile.caption, palette);
    if (tile.zero) drawEmptyTile(pen, box, palette);
    else drawTile(pen, box, tile, palette);
  });
}

function drawTile(pen: Pen, box: Box, tile: Tile, palette: Palette): void {
  const { plane } = reducePlane(tile.plane, Math.max(1, Math.floor(box.height)), Math.max(1, Math.floor(box.width)));
  const { pixels, marks } = paintPlane(plane, tile.ink.coloring.scale, tile.ink.map);
  pen.image(pixels, box);
  drawMarks(pen, box, plane.rows, plane.columns, marks, palette);
  drawEdge(pen, box, palette);
}

function drawEdge(pen: Pen, box: Box, palette: Palette): void {
  const inner = { x: box.x + 0.5, y: box.y + 0.5, width: box.width - 1, height: box.height - 1 };
  pen.outline(inner, { color: palette.tile, width: 1 });
}

/** ∅: a circle with a stroke through it. */
function drawEmptyTile(pen: Pen, box: Box, palette: Palette): void {
  pen.rect(box, { color: palette.none });
  drawEdge(pen, box, palette);
  const [x, y, size] = [box.x + box.width / 2, box.y + box.height / 2, Math.min(box.width, box.height, 48)];
  pen.circle(x, y, size * 0.16, undefined, { color: palette.ink3, width: 1 });
  pen.line(x - size * 0.2, y + size * 0.2, x + size * 0.2, y - size * 0.2, { color: palette.ink3, width: 1 });
}

const CAPTION_SIZE: CssPixels = 11;

function drawCaption(pen: Pen, box: Box, [left, right]: readonly [string, string], palette: Palette): void {
  const y = box.y - 8;
  pen.text(left, box.x, y, { color: palette.ink, bold: true, size: CAPTION_SIZE });
  const room = box.width - pen.textWidth(left, { bold: true, size: CAPTION_SIZE }) - 8;
  if (right !== "" && pen.textWidth(right) <= room)
    pen.text(right, box.x + box.width, y, { color: palette.ink2, align: "right" });
}

/** The chosen tile in orange. */
export function drawChosenTile(pen: Pen, layout: GridLayout, index: number, palette: Palette): void {
  pen.outline(tileBox(layout, index), { color: palette.hereLine, width: 2 });
}

/** One chosen row in every tile: a query of an attention map. */
export function drawChosenRow(
  pen: Pen,
  layout: GridLayout,
  count: number,
  rows: number,
  row: number,
  palette: Palette,
): void {
  for (let index = 0; index < count; index += 1) {
    const box = tileBox(layout, index);
    const height = box.height / rows;
    pen.outline(
      { x: box.x, y: box.y + row * height - 1, width: box.width, height: height + 2 },
      { color: palette.hereLine, width: 1.5 },
    );
  }
}
