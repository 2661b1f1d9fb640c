/** What the matrix shows now, ready to be painted: on the page, or into a file. */

import { colormap, type Coloring } from "../colormap";
import { nodes, quantity, statistic } from "../state";
import { isScalarFor, labelOf, reasonOf } from "../statistics";
import type { GraphNode } from "../types";
import type { NodeIndex } from "../units";
import { isCompared } from "./compare";
import { edges, matrix, shadingOf } from "./data";
import type { Geometry } from "./geometry";
import type { MatrixPicture } from "./paint";

/** Null before all of it is there. */
export function pictureOf(geometry: Geometry, rows: readonly NodeIndex[]): MatrixPicture | null {
  const [data, places, shade] = [matrix.peek(), edges.peek(), shadingOf.peek()];
  if (data === null || places === null || shade === null || rows.length === 0) return null;
  return {
    matrix: data,
    edges: places,
    geometry,
    rows,
    map: colormap(shade(rows[0]).map),
    shadingOf: shade,
    reasonOf: (index) => (index >= data.nodes ? "not in this answer" : whyNothing(nodes.peek()[index])),
  };
}

const whyNothing = (node: GraphNode): string | null =>
  reasonOf(node, quantity.peek()) ?? (isScalarFor(node, statistic.peek()) ? "a scalar has no spread" : null);

/** `std of value`, `Difference of std of value`. */
export function whatIsShown(): string {
  return `${isCompared() ? "Difference of " : ""}${labelOf(statistic.value)} of ${quantity.value}`;
}

/** The words over the colour bar. */
export function barTitle({ scale }: Coloring): string {
  return isCompared() ? "difference" : `${labelOf(statistic.value)}, ${scale.kind}`;
}
