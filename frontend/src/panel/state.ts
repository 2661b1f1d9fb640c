/*
 * What the user chose inside the node panel. The one invariant: a choice belongs to the panel and not to a node, so that going from node to node
 * compares like with like; a choice that a node can't follow is passed over for that node and kept for the next.
 */

import { signal } from "@preact/signals";
import type { AxisKind } from "../charts/lanes";
import { DEFAULT_CHOICES } from "../charts/lanes";
import type { ViewKind } from "../tensor/arrangement";
import type { Extent } from "../tensor/coloring";
import type { Quantity } from "../types";

/** Which example of the kept ones, 0-based. */
export const example = signal(0);

/** Shows value, gradient and update side by side. */
export const beside = signal(false);

/** What the charts show. */
export const chosenStatistics = signal<ReadonlySet<string>>(DEFAULT_CHOICES);
export const axisKinds = signal<Readonly<Record<Quantity, AxisKind>>>({
  value: "linear",
  gradient: "log",
  update: "log",
});

export type HistogramStyle = "heat" | "ridges" | "overlay";
export const histogramStyle = signal<HistogramStyle>("heat");

/** The view of values the user asked for; null: what suits the node best. */
export const wantedView = signal<ViewKind | null>(null);

export const extents = signal<Readonly<Record<Quantity, Extent>>>({
  value: "percentile",
  gradient: "percentile",
  update: "percentile",
});
export const squareRoot = signal<boolean | null>(null);

/** What is subtracted from the value on show. */
export type Minus = "nothing" | "previous" | "first" | "compared";
export const minus = signal<Minus>("nothing");

/** The tile (channel, head, filter) and the row (query) that are outlined in every picture. */
export const chosenTile = signal<number | null>(null);
export const chosenRow = signal<number | null>(null);

/** Examples kept of what is on show; 0 when it has none. */
export const exampleCount = signal(0);

/** Goes `count` examples on, and stops at the ends. */
export function moveExample(count: number): void {
  const last = Math.max(0, exampleCount.peek() - 1);
  example.value = Math.min(last, Math.max(0, Math.min(last, example.peek()) + count));
}
