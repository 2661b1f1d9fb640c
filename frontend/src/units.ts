/*
 * Number aliases that carry a unit. They cost nothing at run time; the name in a signature is the comment.
 */

/** A length in CSS pixels (not device pixels: canvases multiply by `devicePixelRatio` themselves). */
export type CssPixels = number;

/** The number of train steps executed in the run before this one. Exact up to 2^53. */
export type Step = number;

/** Index into `Graph.nodes`, and into the first axis of `/snapshot` and `/matrix`. */
export type NodeIndex = number;

/** Index into the recorded steps of a run (`Steps.step`). */
export type CaptureIndex = number;

/** A length of time in seconds, or a moment in seconds since the epoch. */
export type Seconds = number;

/** A length of time in milliseconds. */
export type Milliseconds = number;
