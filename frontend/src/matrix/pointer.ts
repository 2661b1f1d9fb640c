/**
 * What pointer and keys do on the matrix: hover reads a cell, a click goes to its node and step, a drag zooms into steps, a double click shows all.
 *
 * The one invariant: a step chosen here is a recorded one, the nearest to the place within its column.
 */

import type { PointerHandlers } from "../charts/picture";
import { brush, whole, zoom } from "../charts/shared";
import { zoomKey } from "../charts/step_pointer";
import { zoomed } from "../charts/timeline";
import { node, nodes, selectNode, selectStep, step } from "../state";
import type { CssPixels } from "../units";
import type { MatrixPicture } from "./paint";
import { columnAt, rowAtY, stepAtX, yOfRow, type CellPlace } from "./geometry";
import { cursor, setHovered } from "./view";

const CLICK_DISTANCE: CssPixels = 4;
const PAGE = 10;

interface Press {
  readonly x: CssPixels;
  readonly from: number;
  moved: boolean;
}

/** Outlives the render in which a drag began. */
let press: Press | null = null;

function choose({ rows }: Pick<MatrixPicture, "rows">, place: CellPlace): void {
  selectNode(nodes.peek()[rows[place.row]].name);
  selectStep(place.step);
}

export function matrixPointer(
  picture: MatrixPicture,
  scroller: { readonly current: HTMLElement | null },
): PointerHandlers {
  const { geometry, matrix, edges } = picture;
  const placeOf = (event: PointerEvent): { x: CssPixels; at: number; cell: CellPlace | null } => {
    const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const x = event.clientX - left;
    const at = stepAtX(geometry, x);
    const row = rowAtY(geometry, event.clientY - top);
    return { x, at, cell: row < 0 || columnAt(matrix, edges, at) < 0 ? null : { row, step: at } };
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      // As on the graph: the mouse doesn't move the focus, so that arrow keys go on meaning steps.
      event.preventDefault();
      const { x, at } = placeOf(event);
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      press = { x, from: at, moved: false };
    },
    onPointerMove: (event) => {
      const { x, at, cell } = placeOf(event);
      setHovered(press?.moved === true ? null : cell);
      if (press === null) return;
      press.moved ||= Math.abs(x - press.x) >= CLICK_DISTANCE;
      if (press.moved) brush.value = { first: Math.min(press.from, at), last: Math.max(press.from, at) };
    },
    onPointerUp: (event) => {
      const { at, cell } = placeOf(event);
      const held = press;
      press = null;
      brush.value = null;
      if (held === null) return;
      if (held.moved) zoom.value = zoomed(whole.peek(), held.from, at) ?? null;
      else if (cell !== null && event.detail < 2) choose(picture, cell);
    },
    onPointerLeave: () => setHovered(null),
    onPointerCancel: () => {
      press = brush.value = null;
      setHovered(null);
    },
    onDblClick: () => (zoom.value = null),
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
