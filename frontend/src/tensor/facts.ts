/*
 * What is said in words about a sample: how much of the tensor it is, what in it is not finite, which channels are dead.
 * The one invariant: a sample that isn't the whole tensor says which part it is.
 */

import { formatCount, formatNumber } from "../format";
import type { GraphNode, Numbers, Value } from "../types";
import type { NonFinite, Plane } from "./plane";
import { elementAt } from "./plane";

/** The extents of the whole tensor: the node's, with the batch worked out from the number of elements. Null where unknown. */
export function wholeShape(node: Pick<GraphNode, "shape">, elements: number): (number | null)[] | null {
  if (node.shape === null) return null;
  const unknown = node.shape.filter((extent) => extent === null).length;
  if (unknown !== 1) return [...node.shape];
  const known = node.shape.reduce<number>((product, extent) => product * (extent ?? 1), 1);
  const rest = elements / known;
  return node.shape.map((extent) => extent ?? (Number.isInteger(rest) && rest > 0 ? rest : null));
}

export function plural(name: string): string {
  return name === "query" ? "queries" : `${name}s`;
}

/** `4 of 128 examples kept`, for every axis of which less than all was kept; `1 in 3 rows kept`, where it is spread over them. */
export function keptWords(
  node: Pick<GraphNode, "shape">,
  value: Pick<Value, "shape" | "elements" | "strides">,
  names: readonly string[],
): string[] {
  const whole = wholeShape(node, value.elements);
  if (whole === null || whole.length !== value.shape.length) return [];
  return value.shape.flatMap((kept, axis) => {
    const all = whole[axis];
    const stride = value.strides[axis];
    if (stride > 1) return [`1 in ${formatCount(stride)} ${plural(names[axis])} kept`];
    if (all === null) return axis === 0 ? [`${formatCount(kept)} ${plural(names[axis])} kept`] : [];
    return kept < all ? [`${formatCount(kept)} of ${formatCount(all)} ${plural(names[axis])} kept`] : [];
  });
}

/** `all 0`: a picture of a single colour says no more. Empty where two numbers differ, or there is but one. */
export function sameWords(values: Numbers): string {
  return values.length > 1 && values.every((value) => value === values[0]) ? `all ${formatNumber(values[0])}` : "";
}

/** `NaN 12 · ▲ +Inf 1`; empty when all are finite. */
export function nonFiniteWords({ nan, positive, negative }: NonFinite): string[] {
  return [
    nan > 0 ? `NaN ${formatCount(nan)}` : "",
    positive > 0 ? `▲ +Inf ${formatCount(positive)}` : "",
    negative > 0 ? `▼ −Inf ${formatCount(negative)}` : "",
  ].filter((words) => words !== "");
}

/** Mean entropy of the rows of an attention map, in nats: 0 looks at one key, log(keys) at all alike. NaN where no row is a distribution. */
export function meanRowEntropy(plane: Plane): number {
  let sum = 0;
  let rows = 0;
  for (let row = 0; row < plane.rows; row += 1) {
    let entropy = 0;
    let total = 0;
    for (let column = 0; column < plane.columns; column += 1) {
      const share = elementAt(plane, row, column);
      total += share;
      if (share > 0) entropy -= share * Math.log(share);
      if (!(share >= 0)) total = NaN;
    }
    if (!(Math.abs(total - 1) < 0.05)) continue; // half precision rows sum to 1 only roughly
    sum += entropy;
    rows += 1;
  }
  return rows === 0 ? NaN : sum / rows;
}

/** The largest elements of one row, in descending order. NaN counts as none. */
export function largestOfRow(plane: Plane, row: number, count: number): { column: number; value: number }[] {
  const all = Array.from({ length: plane.columns }, (_, column) => ({ column, value: elementAt(plane, row, column) }));
  return all
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => b.value - a.value)
    .slice(0, count);
}

/** `[2, 5, 7, 31]` as `example 3, row 5, column 7, channel 31`: examples are counted from 1, as the user counts them, indices from 0. */
export function placeWords(index: readonly number[], names: readonly string[]): string {
  return index
    .map((place, axis) => `${names[axis]} ${formatCount(names[axis] === "example" ? place + 1 : place)}`)
    .join(", ");
}

/** Smallest and largest of a tile, in words. */
export function rangeWords(range: { readonly low: number; readonly high: number } | undefined): string {
  return range === undefined ? "no finite element" : `min ${formatNumber(range.low)}, max ${formatNumber(range.high)}`;
}
