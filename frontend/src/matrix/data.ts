/** The matrix that is on screen: fetched for the zoom and the width, compared when something is compared. */

import { computed, signal } from "@preact/signals";
import type { Coloring } from "../colormap";
import { gaps, zoom } from "../charts/shared";
import { columnEdges } from "../charts/timeline";
import { history } from "../nodes/history";
import { resource } from "../resource";
import { nodes, quantity, run, statistic, steps, view } from "../state";
import type { Matrix } from "../types";
import type { CssPixels, NodeIndex } from "../units";
import { shading } from "./coloring";
import { columnsToAsk, stepsToAsk } from "./columns";
import {
  compareKey,
  currentReference,
  isCompared,
  loadMatrix,
  NO_STEPS,
  SAME_SERIES,
  subtract,
  type SeriesKey,
} from "./compare";
import { colorScale, domain } from "./options";
import { shadeSigned, shadeStatistic } from "./shading";

/** Width of the heat map; 0 while it is not on screen. */
export const plotWidth = signal<CssPixels>(0);

const askedColumns = computed(() => columnsToAsk(plotWidth.value, nodes.value.length));

/** Follows the list's history from version to version, which takes care not to ask more often than the server can answer. */
function matrixKey(): SeriesKey | null {
  const coarse = history.value.key;
  if (view.value !== "matrix" || plotWidth.value === 0 || coarse === null || coarse.run !== run.value) return null;
  return {
    run: coarse.run,
    version: coarse.version,
    quantity: quantity.value,
    statistic: statistic.value,
    columns: askedColumns.value,
    ...stepsToAsk(steps.value.data?.step ?? NO_STEPS, zoom.value),
  };
}

const mine = resource(matrixKey, loadMatrix, SAME_SERIES);

const theirs = resource(
  () => (view.value === "matrix" && plotWidth.value > 0 ? compareKey(askedColumns.value, zoom.value) : null),
  loadMatrix,
  SAME_SERIES,
);

export const matrixAnswer = mine;

/** The numbers shown: those of the run, or the differences to what is compared. Null until all of it is there. */
export const matrix = computed<Matrix | null>(() => {
  const own = mine.value.data;
  if (own === null || !isCompared()) return own;
  const reference = currentReference(theirs.value.data);
  return reference === null ? null : subtract(own, reference);
});

export const edges = computed(() => (matrix.value === null ? null : columnEdges(matrix.value, gaps.value)));

/** Shading of each row: the shared one, or one of its own. */
export const shadingOf = computed<((node: NodeIndex) => Coloring) | null>(() => {
  const [shared, shownMatrix, kind, name] = [shading.value, matrix.value, colorScale.value, statistic.value];
  if (shared === null || shownMatrix === null) return null;
  if (domain.value === "shared") return () => shared;
  const known = new Map<NodeIndex, Coloring>();
  return (node) => {
    const own = known.get(node) ?? rowShading(shownMatrix, node, shared, name, kind);
    known.set(node, own);
    return own;
  };
});

/** A row's own domain, in the map of all rows: a colour bar can't show two maps. */
function rowShading(
  { low, high, nonfinite, columns }: Matrix,
  node: NodeIndex,
  shared: Coloring,
  name: string,
  kind: "log" | "linear",
): Coloring {
  const [start, stop] = [node * columns, (node + 1) * columns];
  const row = {
    low: low.subarray(start, stop),
    high: high.subarray(start, stop),
    nonfinite: nonfinite.subarray(start, stop),
  };
  const own = shared.map === "div" ? shadeSigned(row, kind) : shadeStatistic(name, row, kind);
  return { ...own, map: shared.map };
}
