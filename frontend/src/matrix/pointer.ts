/**
 * What pointer and keys do on the matrix: hover reads a cell, a click goes to its node and step, a drag zooms into steps, a double click shows all.
 *
 * The one invariant: a step chosen here is a recorded one, the nearest to the place within its column.
 */

import { placeOf, type PointerHandlers } from "../charts/picture";
import { type StepPlace, stepPointer, zoomKey } from "../charts/step_pointer";
import { scrolledTo } from "../nodes/window";
import { node, nodes, selectNode, selectStep, step } from "../state";
import { type Cell, movedCell } from "../tensor/cell_cursor";
import type { MatrixPicture } from "./paint";
import { columnAt, rowAtY, stepAtX, type CellPlace } from "./geometry";
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
  const { matrix, edges, rows } = picture;
  if (matrix.columns === 0) return false;
  const known = cursor.peek();
  const at = known !== null && known.row < rows.length ? known : null;
  const from = at ?? initialCursor(picture);
  const arrow = event.key.replace("Page", "Arrow");
  let cell: Cell | null = { tile: 0, row: from.row, column: Math.max(0, columnAt(matrix, edges, from.step)) };
  const start = cell;
  for (let times = arrow === event.key ? 1 : PAGE; times > 0; times -= 1)
    cell = movedCell(cell, arrow, { tiles: 1, rows: rows.length, columns: matrix.columns });
  if (event.key === "Enter" && at !== null) choose(picture, at);
  else if (event.key === "Escape" && at !== null) cursor.value = null;
  else if (cell !== null) {
    const { row, column } = at === null ? start : cell;
    setHovered(null);
    cursor.value = { row, step: matrix.start[column] };
    if (scroller !== null)
      scroller.scrollTop = scrolledTo(row, scroller.scrollTop, scroller.clientHeight, picture.geometry.rowHeight);
  } else return false;
  return true;
}
