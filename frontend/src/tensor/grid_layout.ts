/*
 * Where the tiles of an image grid stand.
 *
 * The one invariant: tiles are as large as the box allows and keep their proportions. Where it costs little, an element is a whole number of pixels, so
 * that no row of an image looks thicker than another.
 */

import type { CssPixels } from "../units";

export interface GridLayout {
  readonly columns: number;
  readonly rows: number;
  readonly tileWidth: CssPixels;
  readonly tileHeight: CssPixels;
  readonly gap: CssPixels;
  /** Room above each tile for its name; 0 for none. */
  readonly caption: CssPixels;
}

export interface GridRequest {
  readonly count: number;
  /** Extents of one tile, in elements. */
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly width: CssPixels;
  readonly height: CssPixels;
  readonly gap: CssPixels;
  readonly caption: CssPixels;
}

const LEAST_GAP: CssPixels = 3;

/** Between tiles: the larger the picture, the further apart. */
export const tileGap = (height: CssPixels): CssPixels => Math.max(LEAST_GAP, Math.round(height / 150));

/** Smallest side of a tile in which anything can be made out. */
export const SMALLEST_TILE: CssPixels = 18;

export function gridLayout(request: GridRequest): GridLayout {
  const { count, gap, caption } = request;
  let best: GridLayout | undefined;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const layout = layoutWith(request, columns);
    if (best === undefined || layout.tileWidth > best.tileWidth + 0.5) best = layout;
  }
  return best ?? { columns: 1, rows: 1, tileWidth: 0, tileHeight: 0, gap, caption };
}

function layoutWith(
  { count, imageWidth, imageHeight, width, height, gap, caption }: GridRequest,
  columns: number,
): GridLayout {
  const rows = Math.max(1, Math.ceil(count / columns));
  const room = (total: CssPixels, tiles: number): CssPixels => (total - (tiles - 1) * gap) / tiles;
  const scale = Math.max(0, Math.min(room(width, columns) / imageWidth, (room(height, rows) - caption) / imageHeight));
  const whole = Math.floor(scale);
  const chosen = scale >= 2 && whole >= scale * LEAST_WHOLE ? whole : scale;
  return {
    columns,
    rows,
    tileWidth: Math.floor(chosen * imageWidth),
    tileHeight: Math.floor(chosen * imageHeight),
    gap,
    caption,
  };
}

/** A whole number of pixels per element is worth this share of the size. */
const LEAST_WHOLE = 0.86;

/** Most tiles of `SMALLEST_TILE` that the box holds. More than that are shown page by page. */
export function tilesPerPage({
  width,
  height,
  gap,
  caption,
  imageWidth,
  imageHeight,
}: Omit<GridRequest, "count">): number {
  const scale = SMALLEST_TILE / Math.min(imageWidth, imageHeight);
  const fit = (total: CssPixels, side: CssPixels): number => Math.max(1, Math.floor((total + gap) / (side + gap)));
  return fit(width, imageWidth * scale) * fit(height, imageHeight * scale + caption);
}

export function tileBox(
  layout: GridLayout,
  index: number,
): { x: CssPixels; y: CssPixels; width: CssPixels; height: CssPixels } {
  const { columns, tileWidth, tileHeight, gap, caption } = layout;
  return {
    x: (index % columns) * (tileWidth + gap),
    y: Math.floor(index / columns) * (tileHeight + caption + gap) + caption,
    width: tileWidth,
    height: tileHeight,
  };
}

/** The tile under a point and the element in it; undefined between tiles. */
export function tileAt(
  layout: GridLayout,
  count: number,
  imageWidth: number,
  imageHeight: number,
  x: CssPixels,
  y: CssPixels,
): { tile: number; row: number; column: number } | undefined {
  const column = Math.floor(x / (layout.tileWidth + layout.gap));
  const row = Math.floor(y / (layout.tileHeight + layout.caption + layout.gap));
  const tile = row * layout.columns + column;
  if (x < 0 || y < 0 || column >= layout.columns || tile >= count) return undefined;
  const box = tileBox(layout, tile);
  const [inX, inY] = [x - box.x, y - box.y];
  if (inX >= box.width || inY < 0 || inY >= box.height) return undefined;
  return {
    tile,
    row: Math.floor((inY / box.height) * imageHeight),
    column: Math.floor((inX / box.width) * imageWidth),
  };
}
