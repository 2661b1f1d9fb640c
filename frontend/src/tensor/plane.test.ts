import { describe, expect, test } from "vitest";
import { allZeroAlong, countNonFinite, difference, elementAt, flatten, planeOf, reducePlane, stridesOf } from "./plane";

/** 0, 1, 2 … in the given shape, as numpy.arange(n).reshape(shape). */
function arange(...shape: number[]): { shape: number[]; data: Float32Array } {
  const length = shape.reduce((product, extent) => product * extent, 1);
  return { shape, data: Float32Array.from({ length }, (_, index) => index) };
}

test("strides are those of a row-major array", () => {
  expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  expect(stridesOf([])).toEqual([]);
});

describe("a plane", () => {
  const tensor = arange(2, 3, 4, 5);
  // numpy: a[i, j, k, l] = 60 i + 20 j + 5 k + l
  test("is the numpy slice of the same indices, for every pair of axes", () => {
    const index = [1, 2, 3, 4];
    for (let row = 0; row < 4; row += 1) {
      for (let column = 0; column < 4; column += 1) {
        if (row === column) continue;
        const plane = planeOf(tensor, row, column, index);
        expect([plane.rows, plane.columns]).toEqual([tensor.shape[row], tensor.shape[column]]);
        for (let r = 0; r < plane.rows; r += 1) {
          for (let c = 0; c < plane.columns; c += 1) {
            const place = index.slice();
            place[row] = r;
            place[column] = c;
            expect(elementAt(plane, r, c)).toBe(60 * place[0] + 20 * place[1] + 5 * place[2] + place[3]);
          }
        }
      }
    }
  });
  test("without axes is one number", () => {
    expect([...flatten(planeOf(tensor, null, null, [1, 0, 0, 2]))]).toEqual([62]);
    expect([...flatten(planeOf(arange(), null, null, []))]).toEqual([0]);
  });
  test("keeps an index beyond the end inside", () => {
    expect(elementAt(planeOf(tensor, 2, 3, [99, 99, 0, 0]), 0, 0)).toBe(100);
  });
});

describe("reducing to few pixels", () => {
  const large = arange(100, 70);
  test("keeps what fits as it is", () => {
    const plane = planeOf(large, 0, 1, []);
    expect(reducePlane(plane, 100, 70).plane).toBe(plane);
  });
  test("loses no extreme, NaN before Inf before numbers", () => {
    const data = new Float32Array(7000).fill(0.5);
    data[3333] = -9;
    data[11] = NaN;
    data[6999] = Infinity;
    const { plane } = reducePlane(planeOf({ shape: [100, 70], data }, 0, 1, []), 9, 8);
    const kept = [...flatten(plane)];
    expect(plane.rows).toBeLessThanOrEqual(9);
    expect(plane.columns).toBeLessThanOrEqual(8);
    expect(kept).toContain(-9);
    expect(kept.some(Number.isNaN)).toBe(true);
    expect(kept).toContain(Infinity);
  });
  test("a NaN stays whatever comes after it in the block", () => {
    const { plane } = reducePlane(planeOf({ shape: [1, 4], data: Float32Array.of(1, NaN, 5, -7) }, 0, 1, []), 1, 1);
    expect([...flatten(plane)]).toEqual([NaN]);
    const first = reducePlane(planeOf({ shape: [1, 3], data: Float32Array.of(NaN, 5, -7) }, 0, 1, []), 1, 1);
    expect([...flatten(first.plane)]).toEqual([NaN]);
  });
});

test("dead channels are those that are 0 in every example and place", () => {
  const tensor = { shape: [2, 2, 3], data: Float32Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, NaN) };
  expect(allZeroAlong(tensor, 2)).toEqual([true, false, false]);
  expect(allZeroAlong(tensor, 0)).toEqual([false, false]);
});

test("what isn't finite is counted by kind", () => {
  expect(countNonFinite([1, NaN, Infinity, -Infinity, NaN])).toEqual({ nan: 2, positive: 1, negative: 1 });
});

test("a difference is exact in float64, and there is none of different shapes", () => {
  const a = { shape: [2], data: Float32Array.of(0.1, NaN) };
  const b = { shape: [2], data: Float32Array.of(0.3, 1) };
  expect([...(difference(a, b)?.data ?? [])]).toEqual([Math.fround(0.1) - Math.fround(0.3), NaN]);
  expect(difference(a, { shape: [1, 2], data: b.data })).toBeUndefined();
  expect(difference(a, { shape: [3], data: Float32Array.of(1, 2, 3) })).toBeUndefined();
});
