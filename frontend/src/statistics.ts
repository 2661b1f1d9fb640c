/*
 * The statistics a user can choose, and their numbers at one step for all nodes. The one invariant: `columnOf` gives the number that the
 * server's /matrix gives for the same statistic at that step, so list, graph and matrix can't disagree. Names come from the run; the words and the
 * ways to write them stand here, and an unknown one is shown by its own name.
 */

import { formatCount, formatNumber, formatShare } from "./format";
import type { Graph, GraphNode, Quantity, Snapshot } from "./types";
import { COUNTS, ELEMENTS, NAN_COUNT, NEG_INF_COUNT, POS_INF_COUNT } from "./types";

const LABELS: Readonly<Record<string, string>> = {
  l2_norm: "L2 norm",
  zero_fraction: "zero",
  zero_unit_fraction: "zero units",
  batch_std: "batch std",
  saturated_fraction: "saturated",
  subnormal_fraction: "subnormal",
  nan_count: "NaN",
  inf_count: "Inf",
  pos_inf_count: "+Inf",
  neg_inf_count: "−Inf",
  update_ratio: "update ratio",
};

export function labelOf(statistic: string): string {
  return LABELS[statistic] ?? statistic;
}

/** A number of `statistic` as a list writes it. */
export function formatStatistic(statistic: string, value: number): string {
  if (statistic.endsWith("_fraction")) return formatShare(value);
  if (statistic.endsWith("_count")) return formatCount(value);
  return formatNumber(value);
}

/** Everything that can be chosen for `quantity`: the columns of the run, then what is derived from them. */
export function statisticsOf(graph: Graph | null, quantity: Quantity): readonly string[] {
  const columns = graph?.statistics ?? [];
  return [...columns, "nan_count", "inf_count", ...(quantity === "update" ? ["update_ratio"] : [])];
}

/**
 * One statistic of all nodes: float64[nodes], NaN where nothing is recorded or no element is finite. `values` is the snapshot of the quantity
 * `value` at the same step, needed for `update_ratio` alone.
 */
export function columnOf(
  graph: Graph,
  snapshot: Snapshot,
  statistic: string,
  values: Snapshot | null = null,
): Float64Array {
  const { nodes, columns, statistics, counts } = snapshot;
  const recorded = (node: number): boolean => counts[node * COUNTS + ELEMENTS] >= 0;
  const pick = (number: (node: number) => number): Float64Array =>
    Float64Array.from({ length: nodes }, (_, node) => (recorded(node) ? number(node) : NaN));
  if (statistic === "nan_count") return pick((node) => counts[node * COUNTS + NAN_COUNT]);
  if (statistic === "inf_count") {
    return pick((node) => counts[node * COUNTS + POS_INF_COUNT] + counts[node * COUNTS + NEG_INF_COUNT]);
  }
  if (statistic === "update_ratio") {
    const norm = graph.statistics.indexOf("l2_norm");
    return pick((node) => statistics[node * columns + norm] / (values?.statistics[node * columns + norm] ?? NaN));
  }
  const column = graph.statistics.indexOf(statistic);
  return pick((node) => (column < 0 ? NaN : statistics[node * columns + column]));
}

const SPREADS: readonly string[] = ["std", "batch_std"];

/** A scalar has no spread: where one is asked for, its value is shown instead. */
export function isScalarFor(node: GraphNode, statistic: string): boolean {
  return node.shape?.length === 0 && SPREADS.includes(statistic);
}

/** The one number of a scalar. */
export function scalarOf(graph: Graph, { columns, statistics }: Snapshot, node: number): number {
  return statistics[node * columns + graph.statistics.indexOf("mean")];
}

/** NaN and infinite elements of a node at a snapshot; 0 where nothing is recorded. */
export function nonfiniteOf(snapshot: Snapshot, node: number): { readonly nan: number; readonly inf: number } {
  const at = node * COUNTS;
  if (!(snapshot.counts[at + ELEMENTS] >= 0)) return { nan: 0, inf: 0 };
  return {
    nan: snapshot.counts[at + NAN_COUNT],
    inf: snapshot.counts[at + POS_INF_COUNT] + snapshot.counts[at + NEG_INF_COUNT],
  };
}

/** The short word for why a node has nothing of `quantity`; null when it has. */
export function reasonOf(node: GraphNode, quantity: Quantity): string | null {
  if (node.state !== "materialized") return primaryReason(node)?.title ?? node.state;
  const state = node.quantities[quantity];
  if (state?.state === "materialized") return null;
  return state?.title ?? `no ${quantity}`;
}

/** The quantity whose reason speaks for the whole node: that of its value, else the first. */
export function primaryReason(node: GraphNode): GraphNode["quantities"][Quantity] | undefined {
  return node.quantities.value ?? node.quantities.gradient ?? node.quantities.update;
}
