/*
 * Two axes of a tensor of any rank, the others held at an index: a view, never a copy.
 *
 * The one invariant: `elementAt(plane, row, column)` is the number that numpy gives for the same indices of the same row-major array.
 */

import type { Numbers, Tensor } from "../types";

export type Axis = number;

/** A rank-2 view of row-major data. Without a row axis there is one row, without a column axis one column. */
export interface Plane {
  readonly data: Numbers;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export type Sliceable = Pick<Tensor, "data" | "shape">;

/** Distance in elements between neighbours along each axis of a row-major array. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis -= 1) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

/** The plane over `row` and `column` at `index` (one number per axis; those of the two axes themselves are ignored). */
export function planeOf(tensor: Sliceable, row: Axis | null, column: Axis | null, index: readonly number[]): Plane {
  const { shape, data } = tensor;
  const strides = stridesOf(shape);
  let offset = 0;
  shape.forEach((extent, axis) => {
    if (axis !== row && axis !== column) offset += Math.min(Math.max(0, extent - 1), index[axis] ?? 0) * strides[axis];
  });
  return {
    data,
    offset,
    rows: row === null ? 1 : shape[row],
    columns: column === null ? 1 : shape[column],
    rowStride: row === null ? 0 : strides[row],
    columnStride: column === null ? 0 : strides[column],
  };
}

export function elementAt(plane: Plane, row: number, column: number): number {
  return plane.data[plane.offset + row * plane.rowStride + column * plane.columnStride];
}

/** All elements of the plane, row by row. */
export function flatten(plane: Plane): Float64Array {
  const flat = new Float64Array(plane.rows * plane.columns);
  let next = 0;
  for (let row = 0; row < plane.rows; row += 1) {
    let at = plane.offset + row * plane.rowStride;
    for (let column = 0; column < plane.columns; column += 1, at += plane.columnStride) flat[next++] = plane.data[at];
  }
  return flat;
}

/**
 * At most `maxRows` × `maxColumns` cells, each the element with the largest magnitude of a block: what is drawn in too few pixels must not lose
 * its extremes. NaN wins over everything, Inf over every number.
 */
export function reducePlane(
  plane: Plane,
  maxRows: number,
  maxColumns: number,
): { plane: Plane; rowBlock: number; columnBlock: number } {
  const rowBlock = Math.max(1, Math.ceil(plane.rows / Math.max(1, maxRows)));
  const columnBlock = Math.max(1, Math.ceil(plane.columns / Math.max(1, maxColumns)));
  if (rowBlock === 1 && columnBlock === 1) return { plane, rowBlock, columnBlock };
  const rows = Math.ceil(plane.rows / rowBlock);
  const columns = Math.ceil(plane.columns / columnBlock);
  const data = new Float64Array(rows * columns);
  for (let row = 0; row < plane.rows; row += 1) {
    const target = Math.floor(row / rowBlock) * columns;
    for (let column = 0; column < plane.columns; column += 1) {
      const value = elementAt(plane, row, column);
      const at = target + Math.floor(column / columnBlock);
      const kept = data[at];
      const first = row % rowBlock === 0 && column % columnBlock === 0;
      if (first || Number.isNaN(value) || Math.abs(value) > Math.abs(kept))
        data[at] = first || !Number.isNaN(kept) ? value : kept;
    }
  }
  return { plane: { data, offset: 0, rows, columns, rowStride: columns, columnStride: 1 }, rowBlock, columnBlock };
}

export interface NonFinite {
  readonly nan: number;
  readonly positive: number;
  readonly negative: number;
}

/** How many elements are NaN, +Inf and −Inf. */
export function countNonFinite(values: ArrayLike<number>): NonFinite {
  let nan = 0;
  let positive = 0;
  let negative = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value - value === 0) continue;
    if (value === Infinity) positive += 1;
    else if (value === -Infinity) negative += 1;
    else nan += 1;
  }
  return { nan, positive, negative };
}

/** For each index of `axis`: are all elements there, in every example and place, 0? */
export function allZeroAlong({ data, shape }: Sliceable, axis: Axis): boolean[] {
  const stride = stridesOf(shape)[axis];
  const extent = shape[axis];
  const zero = new Array<boolean>(extent).fill(data.length > 0);
  for (let at = 0; at < data.length; at += 1) {
    if (data[at] !== 0) zero[Math.floor(at / stride) % extent] = false;
  }
  return zero;
}

/** a − b, element by element, in float64; undefined when the shapes differ. */
export function difference(a: Sliceable, b: Sliceable): Sliceable | undefined {
  if (a.shape.length !== b.shape.length || a.shape.some((extent, axis) => extent !== b.shape[axis])) return undefined;
  return { shape: a.shape, data: Float64Array.from(a.data, (value, index) => value - b.data[index]) };
}
