/**
 * What pointer and keys do on the matrix: hover reads a cell, a click goes to its node and step, a drag zooms into steps, a double click shows all.
 *
 * The one invariant: a step chosen here is a recorded one, the nearest to the place within its column.
 */

import { placeOf, type PointerHandlers } from "../charts/picture";
import { type StepPlace, stepPointer, zoomKey } from "../charts/step_pointer";
import { node, nodes, selectNode, selectStep, step } from "../state";
import type { CssPixels } from "../units";
import type { MatrixPicture } from "./paint";
import { columnAt, rowAtY, stepAtX, yOfRow, type CellPlace } from "./geometry";
import { cursor, setHovered } from "./view";

const PAGE = 10;

function choose({ rows }: Pick<MatrixPicture, "rows">, place: CellPlace): void {
  selectNode(nodes.peek()[rows[place.row]].name);
  selectStep(place.step);
}

export function matrixPointer(
  picture: MatrixPicture,
  scroller: { readonly current: HTMLElement | null },
): PointerHandlers {
  const { geometry, matrix, edges } = picture;
  const placeAt = (event: MouseEvent): StepPlace & { readonly cell: CellPlace | null } => {
    const { x, y } = placeOf(event);
    const at = stepAtX(geometry, x);
    const row = rowAtY(geometry, y);
    return { x, at, cell: row < 0 || columnAt(matrix, edges, at) < 0 ? null : { row, step: at } };
  };
  return {
    ...stepPointer(
      placeAt,
      (place) => setHovered(place?.cell ?? null),
      ({ cell }) => cell !== null && choose(picture, cell),
    ),
    onKeyDown: (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (!zoomKey(event.key) && !moveCursor(event, picture, scroller.current)) return;
      event.preventDefault();
    },
  };
}

/** Where the keyboard begins: at the selected node and step. */
function initialCursor({ rows, matrix }: MatrixPicture): CellPlace {
  const row = rows.findIndex((index) => nodes.peek()[index].name === node.peek());
  return { row: Math.max(0, row), step: step.peek() ?? matrix.start[0] };
}

function moveCursor(event: KeyboardEvent, picture: MatrixPicture, scroller: HTMLElement | null): boolean {
  const { matrix, edges, rows, geometry } = picture;
  if (matrix.columns === 0) return false;
  const at = cursor.peek();
  const from = at ?? initialCursor(picture);
  const column = Math.max(0, columnAt(matrix, edges, from.step));
  const moves: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    PageUp: [-PAGE, 0],
    PageDown: [PAGE, 0],
    Home: [0, -column],
    End: [0, matrix.columns - 1 - column],
  };
  if (event.key === "Enter" && at !== null) choose(picture, at);
  else if (event.key === "Escape" && at !== null) cursor.value = null;
  else if (event.key in moves) {
    const [down, right] = at === null ? [0, 0] : moves[event.key];
    const row = Math.min(rows.length - 1, Math.max(0, from.row + down));
    const to = Math.min(matrix.columns - 1, Math.max(0, column + right));
    setHovered(null);
    cursor.value = { row, step: matrix.start[to] };
    if (scroller !== null) showRow(scroller, yOfRow(geometry, row), geometry.rowHeight);
  } else return false;
  return true;
}

function showRow(scroller: HTMLElement, top: CssPixels, height: CssPixels): void {
  if (top < 0) scroller.scrollTop += top;
  else if (top + height > scroller.clientHeight) scroller.scrollTop += top + height - scroller.clientHeight;
}
