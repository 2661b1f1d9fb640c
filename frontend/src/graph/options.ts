/** What the graph shows beyond the model itself. The open scopes outlive the view, so that a look at the matrix doesn't close them. */

import { signal } from "@preact/signals";
import { choiceLink, linkSignal, type LinkCodec } from "../host";

const COLORS_BY = ["statistic", "findings"] as const;
export type ColorBy = (typeof COLORS_BY)[number];

export const colorBy = signal<ColorBy>("statistic");
export const showVariables = signal(false);
export const showGradients = signal(false);

const flagLink: LinkCodec<boolean> = { encode: (on) => (on ? "1" : null), decode: (text) => text === "1" };

linkSignal("color", colorBy, choiceLink<ColorBy>("statistic", COLORS_BY));
linkSignal("variables", showVariables, flagLink);
linkSignal("gradients", showGradients, flagLink);

/** Paths of the open scopes, and the run they belong to. */
export interface OpenScopes {
  readonly run: string;
  readonly paths: ReadonlySet<string>;
}

/** A low view is laid out from left to right, and opens fewer scopes by itself. */
export const lowView = signal(false);

export const openScopes = signal<OpenScopes | null>(null);
