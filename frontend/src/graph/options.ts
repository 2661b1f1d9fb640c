/** What the graph shows beyond the model itself. The open scopes outlive the view, so that a look at the matrix doesn't close them. */

import { signal } from "@preact/signals";

export type ColorBy = "statistic" | "findings";

export const colorBy = signal<ColorBy>("statistic");
export const showVariables = signal(false);
export const showGradients = signal(false);

/** Paths of the open scopes, and the run they belong to. */
export interface OpenScopes {
  readonly run: string;
  readonly paths: ReadonlySet<string>;
}

/** A low view is laid out from left to right, and opens fewer scopes by itself. */
export const lowView = signal(false);

export const openScopes = signal<OpenScopes | null>(null);
