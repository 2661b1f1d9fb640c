/*
 * Reading a picture cell by cell, with the pointer or with keys.
 *
 * The one invariant: pointer and keys read the same cell in the same words; what the keys stand on is read out, also when another step brings another
 * number.
 */

import { useEffect, useState } from "preact/hooks";
import { announce } from "../a11y";
import { placeOf, type PointerHandlers } from "../charts/picture";
import { type Cell, type Extent, movedCell } from "../tensor/cell_cursor";
import type { CssPixels } from "../units";

/** A cell, and where the tip over it points. */
export interface CellPlace extends Cell {
  readonly x: CssPixels;
  readonly y: CssPixels;
}

export interface Cells {
  readonly extent: Extent;
  /** The cell under a place of the picture. */
  readonly find: (x: CssPixels, y: CssPixels) => Cell | null;
  /** The middle of a cell on the picture. */
  readonly middleOf: (cell: Cell) => { readonly x: CssPixels; readonly y: CssPixels };
  /** What a click or Enter on it does. */
  readonly choose: (cell: Cell) => void;
  readonly say: (cell: Cell) => string;
  /** Brings a cell into the picture that lies on another page of it. */
  readonly show?: (cell: Cell) => void;
}

interface Reading {
  /** The cell that is read now; null for none. */
  readonly at: CellPlace | null;
  readonly handlers: PointerHandlers;
}

export function useCells({ extent, find, middleOf, choose, say, show }: Cells): Reading {
  const [hovered, setHovered] = useState<CellPlace | null>(null);
  const [cursor, setCursor] = useState<Cell | null>(null);
  const inside =
    cursor !== null && cursor.tile < extent.tiles && cursor.row < extent.rows && cursor.column < extent.columns;
  const words = inside ? say(cursor) : "";
  useEffect(() => {
    if (words !== "") announce(words);
  }, [words]);
  const locate = (event: PointerEvent): CellPlace | null => {
    const { x, y } = placeOf(event);
    const cell = find(x, y);
    return cell === null ? null : { ...cell, x, y };
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moved = movedCell(inside ? cursor : null, event.key, extent);
    if (moved !== null) {
      setHovered(null);
      setCursor(moved);
      show?.(moved);
    } else if (inside && event.key === "Enter") choose(cursor);
    else if (inside && event.key === "Escape") setCursor(null);
    else return;
    event.preventDefault();
  };
  return {
    at: hovered ?? (inside ? { ...cursor, ...middleOf(cursor) } : null),
    handlers: {
      onKeyDown,
      // As on the graph: the mouse doesn't move the focus, so that arrow keys go on meaning steps.
      onPointerDown: (event) => event.preventDefault(),
      onBlur: () => setCursor(null),
      onPointerMove: (event) => setHovered(locate(event)),
      onPointerLeave: () => setHovered(null),
      onPointerUp: (event) => {
        const hit = locate(event);
        if (event.button === 0 && hit !== null) choose(hit);
      },
    },
  };
}
