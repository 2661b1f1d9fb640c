/**
 * Which colours a statistic gets: the map that suits its kind, and the domain over all steps, so that a film over steps compares.
 *
 * The one invariant: the domain depends on the data of all steps and never on the chosen one, and on no cell that is drawn hatched. What lies beyond
 * it takes the end's colour.
 */

import { type Coloring, finiteRange, magnitudePercentile, NOTHING_FINITE } from "../colormap";
import { makeScale } from "../charts/scale";
import type { Matrix } from "../types";
import type { ColorScale } from "./options";

/** Beyond so many decades below the largest, a log scale has no colours to spare. */
const MOST_DECADES = 8;
/** An outlier this much larger than nearly everything else doesn't get to flatten the rest of a linear scale. */
const OUTLIER = 4;
const NEARLY_ALL = 0.995;
const SAMPLED = 65_536;
/** Signed numbers smaller than this share of them lie where a log scale is linear. */
const NEARLY_NONE = 0.1;

const isShare = (statistic: string): boolean => statistic.endsWith("_fraction");
const isCount = (statistic: string): boolean => statistic.endsWith("_count");

/** At most SAMPLED of `values`, evenly taken: percentiles need no more. */
function sample(values: Float32Array): Float32Array {
  const stride = Math.ceil(values.length / SAMPLED);
  return stride <= 1
    ? values
    : Float32Array.from({ length: Math.floor(values.length / stride) }, (_, k) => values[k * stride]);
}

function smallestPositive(values: Float32Array): number {
  let least = Infinity;
  for (const value of values) if (value > 0 && value < least) least = value;
  return least;
}

/** Largest magnitude the scale shows: all of them, unless a few would flatten the rest. */
function limitOf(values: Float32Array, largest: number, kind: ColorScale): number {
  if (kind === "log") return largest;
  const usual = magnitudePercentile(sample(values), NEARLY_ALL);
  return usual > 0 && largest > OUTLIER * usual ? usual : largest;
}

/** The extremes of all nodes over all steps, and where not everything was finite. */
export type Extremes = Pick<Matrix, "low" | "high" | "nonfinite">;

/** Without those of hatched cells: what is finite beside an infinity may be large enough to take the colours from all others. */
function drawn({ low, high, nonfinite }: Extremes): readonly [Float32Array, Float32Array] {
  const blank = (value: number, at: number): number => (nonfinite[at] ? NaN : value);
  return [low.map(blank), high.map(blank)];
}

/** Shading of signed numbers: diverging, symmetric about 0. */
export function shadeSigned(extremes: Extremes, kind: ColorScale): Coloring {
  const [low, high] = drawn(extremes);
  const values = new Float32Array(2 * low.length);
  values.set(low);
  values.set(high, low.length);
  const range = finiteRange(values);
  if (range === undefined) return NOTHING_FINITE;
  const largest = Math.max(-range.low, range.high);
  const limit = limitOf(values, largest, kind) || 1;
  const small = magnitudePercentile(sample(values.filter(Boolean)), NEARLY_NONE);
  const linear = Math.min(limit / 1e3, Math.max(limit / 10 ** MOST_DECADES, small));
  return { map: "div", scale: makeScale(kind === "log" ? "symlog" : "linear", -limit, limit, linear) };
}

/** Shading of `statistic`. */
export function shadeStatistic(statistic: string, extremes: Extremes, kind: ColorScale): Coloring {
  const [low, high] = drawn(extremes);
  const range = finiteRange(low);
  if (range === undefined) return NOTHING_FINITE;
  if (isShare(statistic)) return { map: "dens", scale: makeScale("linear", 0, 1) };
  if (range.low < 0) return shadeSigned(extremes, kind);
  const largest = finiteRange(high)?.high ?? 0;
  const map = isCount(statistic) ? "dens" : "seq";
  if (kind === "linear") return { map, scale: makeScale("linear", 0, limitOf(high, largest, kind) || 1) };
  const first = smallestPositive(low);
  if (first === Infinity) return { map, scale: makeScale("log", 1e-3, 1) };
  return { map, scale: makeScale("log", Math.max(first, largest / 10 ** MOST_DECADES), largest) };
}
