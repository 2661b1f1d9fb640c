import { describe, expect, test } from "vitest";
import { type Cell, movedCell } from "./cell_cursor";

const extent = { tiles: 3, rows: 2, columns: 4 };
const walk = (from: Cell | null, ...keys: string[]): Cell | null =>
  keys.reduce<Cell | null>((at, key) => movedCell(at, key, extent), from);

describe("the cursor on cells", () => {
  test("begins at the first cell, whatever key calls it", () => {
    expect(movedCell(null, "ArrowDown", extent)).toEqual({ tile: 0, row: 0, column: 0 });
  });

  test("other keys mean nothing", () => {
    expect(movedCell({ tile: 0, row: 0, column: 0 }, "x", extent)).toBeNull();
  });

  test("goes on in the next tile at the right edge, and back", () => {
    const edge = { tile: 0, row: 1, column: 3 };
    expect(walk(edge, "ArrowRight")).toEqual({ tile: 1, row: 1, column: 0 });
    expect(walk(edge, "ArrowRight", "ArrowLeft")).toEqual(edge);
  });

  test("stays within what is there", () => {
    const [first, last] = [
      { tile: 0, row: 0, column: 0 },
      { tile: 2, row: 1, column: 3 },
    ];
    for (const key of ["ArrowLeft", "ArrowUp", "PageUp", "Home"]) expect(walk(first, key)).toEqual(first);
    for (const key of ["ArrowRight", "ArrowDown", "PageDown", "End"]) expect(walk(last, key)).toEqual(last);
  });

  test("reaches every cell with arrows alone", () => {
    const seen = new Set<string>();
    let at: Cell | null = { tile: 0, row: 0, column: 0 };
    for (let count = 0; count < 12; count += 1) {
      seen.add(JSON.stringify(at));
      seen.add(JSON.stringify(movedCell(at, "ArrowDown", extent)));
      at = movedCell(at, "ArrowRight", extent);
    }
    expect(seen.size).toBe(3 * 2 * 4);
  });
});
