/*
 * A cursor on the cells of a picture, moved by keys: cells in rows and columns, in one plane or in many tiles.
 *
 * The one invariant: every cell can be reached. Left and right go on at the edge of a tile in the tile beside it, page keys go from tile to tile.
 */

export interface Cell {
  readonly tile: number;
  readonly row: number;
  readonly column: number;
}

/** How many of each there are. */
export interface Extent {
  readonly tiles: number;
  readonly rows: number;
  readonly columns: number;
}

export const CELL_KEYS = "Arrow keys read cell by cell, Enter chooses, Escape ends.";

/** Where a key leads from a cell (null: from none, which begins at the first). Null: the key means nothing here. */
export function movedCell(from: Cell | null, key: string, { tiles, rows, columns }: Extent): Cell | null {
  const { tile, row, column } = from ?? { tile: 0, row: 0, column: 0 };
  const targets: Readonly<Record<string, Cell>> = {
    ArrowLeft: { tile, row, column: column - 1 },
    ArrowRight: { tile, row, column: column + 1 },
    ArrowUp: { tile, row: row - 1, column },
    ArrowDown: { tile, row: row + 1, column },
    Home: { tile, row, column: 0 },
    End: { tile, row, column: columns - 1 },
    PageUp: { tile: tile - 1, row, column },
    PageDown: { tile: tile + 1, row, column },
  };
  if (!(key in targets)) return null;
  if (from === null) return { tile, row, column };
  const to = targets[key];
  // The whole grid is one line of tiles: beyond the right edge begins the next.
  const across = to.column < 0 ? -1 : to.column >= columns ? 1 : 0;
  const next = to.tile + across;
  if (next < 0 || next >= tiles) return from;
  const wrapped = across < 0 ? columns - 1 : across > 0 ? 0 : to.column;
  return { tile: next, row: Math.min(rows - 1, Math.max(0, to.row)), column: wrapped };
}
