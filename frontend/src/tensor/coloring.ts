/*
 * Over which numbers a colour scale reaches.
 *
 * The one invariant: by default the domain depends on node and quantity alone and not on the step, so that the pictures of a film can be
 * compared. What depends on the step, or on the tile, is the user's choice and says so.
 */

import { commonRange, historyPercentile } from "../charts/histogram";
import type { History } from "../charts/history";
import { makeScale } from "../charts/scale";
import { weakly } from "../charts/weakly";
import { type Coloring, coloringOf, finiteRange } from "../colormap";
import type { Histogram } from "../types";

/** steps: smallest to largest of all steps. percentile: 99.5 % of all elements of all steps. step: the sample at this step. tile: each its own. */
export type Extent = "steps" | "percentile" | "step" | "tile";

export const PERCENTILE = 0.995;

/** Numbers, and the history that they come from. */
export interface Domain {
  readonly history: History | null;
  readonly histogram: Histogram | null;
  readonly values: ArrayLike<number>;
}

export interface ColoringRequest extends Domain {
  readonly extent: Extent;
  /** Square-root scale for amounts from zero up. */
  readonly squareRoot: boolean;
  /** The sample on show, or one tile of it. */
  readonly values: ArrayLike<number>;
  /** What stands beside it, to be compared by colour. */
  readonly beside: Domain | null;
  /** Images of the input are grey, as they were. */
  readonly gray: boolean;
}

export function chooseColoring(request: ColoringRequest): Coloring {
  const own = extentRange(request);
  const theirs = request.beside === null ? own : extentRange({ ...request, ...request.beside });
  const { low, high } = finiteRange([own.low, own.high, theirs.low, theirs.high]) ?? own;
  if (request.gray && low >= 0) return { map: "gray", scale: makeScale("linear", 0, high > 0 ? high : 1) };
  return coloringOf(low, high, request.squareRoot ? "sqrt" : "linear");
}

interface Range {
  readonly low: number;
  readonly high: number;
}

function extentRange({ extent, history, histogram, values }: ColoringRequest): Range {
  const all = extent === "step" || extent === "tile" || history === null ? undefined : historyRange(history);
  if (all === undefined) return finiteRange(values) ?? { low: NaN, high: NaN };
  if (extent === "steps" || histogram === null || commonRange(histogram) === undefined) return all;
  const limit = percentileOf(histogram);
  // A tensor that is almost everywhere zero has a percentile of zero; then only the extremes are left to scale by.
  return limit > 0 ? { low: Math.max(all.low, -limit), high: Math.min(all.high, limit) } : all;
}

const percentileOf = weakly((histogram: Histogram) => historyPercentile(histogram, PERCENTILE));

/** Smallest min and largest max of the history; undefined before there is one. */
export const historyRange = weakly((history: History): Range | undefined => {
  const lows = finiteRange(history.columns.get("min") ?? []);
  const highs = finiteRange(history.columns.get("max") ?? []);
  return lows === undefined || highs === undefined ? undefined : { low: lows.low, high: highs.high };
});
