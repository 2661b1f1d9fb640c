/*
 * The keyboard of the node list, after the treegrid pattern of the ARIA Authoring Practices. The one invariant: a key moves to a row that
 * exists or does nothing; what it means depends on the rows alone.
 */

import { matches } from "./filter";
import { cursor, rowByPath, rows, toggle } from "./model";
import type { Row } from "./tree";
import type { Milliseconds } from "../units";

/** Letters typed within this time belong to one word. */
const TYPING: Milliseconds = 700;

export interface TypeAhead {
  /** Index of the row the typed letters lead to, from `from` on; −1 when there is none. */
  readonly type: (letter: string, from: number, all: readonly Row[], now: Milliseconds) => number;
}

export function createTypeAhead(): TypeAhead {
  let typed = "";
  let last = -Infinity;
  return {
    type: (letter, from, all, now) => {
      typed = now - last > TYPING ? letter : typed + letter;
      last = now;
      // One letter again and again goes through the rows that start with it; a growing word may stay where it is.
      const repeated = [...typed].every((each) => each === typed[0]);
      const word = (repeated ? typed[0] : typed).toLowerCase();
      const start = repeated ? from + 1 : from;
      const starts = (row: Row): boolean => row.item.label.toLowerCase().startsWith(word);
      const after = all.findIndex((row, index) => index >= Math.max(0, start) && starts(row));
      return after >= 0 ? after : all.findIndex(starts);
    },
  };
}

/** The row a key leads to (Enter is a key of the whole page); −1 when the key was used without moving; null when it isn't ours. */
export function moveOnKey(event: KeyboardEvent, page: number, typeAhead: TypeAhead): number | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
  const all = rows.peek();
  const at = rowByPath.peek().get(cursor.peek() ?? "") ?? -1;
  const { key } = event;
  if (key === "ArrowRight") return openOrEnter(all, at);
  if (key === "ArrowLeft") return closeOrLeave(all, at);
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: page,
    PageUp: -page,
    Home: -Infinity,
    End: Infinity,
  };
  if (key in moves) return Math.min(Math.max(at + moves[key], 0), all.length - 1);
  // No label begins with a slash: that key, and those that no name begins with, stay keys of the page.
  return /^[^\s/?[\]]$/.test(key) ? typeAhead.type(key, at, all, event.timeStamp) : null;
}

function openOrEnter(all: readonly Row[], at: number): number {
  const row = all[at];
  if (row === undefined || row.item.children.length === 0) return -1;
  if (row.open) return at + 1;
  toggle(row.item.path);
  return -1;
}

function closeOrLeave(all: readonly Row[], at: number): number {
  const row = all[at];
  if (row === undefined) return -1;
  if (row.open && matches.peek() === null) {
    toggle(row.item.path);
    return -1;
  }
  return parentOf(all, at);
}

function parentOf(all: readonly Row[], at: number): number {
  let index = at - 1;
  while (index >= 0 && all[index].item.depth >= all[at].item.depth) index -= 1;
  return index;
}
