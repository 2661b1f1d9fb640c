/**
 * What the matrix and the graph are coloured by, beyond statistic and quantity: both views share the scale, so that a colour means the same in both.
 */

import { signal } from "@preact/signals";

export type ColorScale = "log" | "linear";
/** `shared`: one domain for all rows. `row`: each row has its own, for the shape of small ones. */
export type Domain = "shared" | "row";
export type RowChoice = "all" | "recorded" | "findings";
export type RowOrder = "list" | "difference";

export const colorScale = signal<ColorScale>("log");
export const domain = signal<Domain>("shared");
export const rowChoice = signal<RowChoice>("all");
export const rowOrder = signal<RowOrder>("list");
