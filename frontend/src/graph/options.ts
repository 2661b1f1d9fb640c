/** What the graph shows beyond the model itself. The open scopes outlive the view, so that a look at the matrix doesn't close them. */

import { signal } from "@preact/signals";
import { choiceLink, linkSignal, readSet, switchLink, textLink, writeSet } from "../host";
import type { CssPixels } from "../units";

const COLORS_BY = ["statistic", "findings"] as const;
export type ColorBy = (typeof COLORS_BY)[number];

export const colorBy = signal<ColorBy>("statistic");
export const showVariables = signal(false);
export const showGradients = signal(false);

linkSignal("color", colorBy, choiceLink<ColorBy>("statistic", COLORS_BY));
linkSignal("variables", showVariables, switchLink(false));
linkSignal("gradients", showGradients, switchLink(false));

/** Where the user moved the camera; null: it is fitted. It outlives the view, too. */
export const cameraPlace = signal<string | null>(null);

linkSignal("camera", cameraPlace, textLink);

/** Height of a low view, which is laid out from left to right and opens fewer scopes by itself; 0 for a higher one. */
export const lowRoom = signal<CssPixels>(0);

/** Paths of the scopes that are open since the user opened or closed one. Another run of the same model keeps them. */
export const openScopes = signal<ReadonlySet<string> | null>(null);
/** Paths of the scopes around the node that was selected last inside of closed ones. */
export const aroundSelected = signal<ReadonlySet<string>>(new Set());

/** The empty text is an empty set: all are closed. */
linkSignal("open", openScopes, {
  encode: (paths) => (paths === null ? null : writeSet(paths)),
  decode: (text) => (text === null ? null : readSet(text)),
});
