/*
 * Which lines and bands a chart of statistics shows, and how they share axes.
 *
 * Statistics with different units must not share an axis: a norm of 175 would flatten a mean of 0.07, and a share has no place beside either.
 * So each unit gets a lane of its own, stacked over one axis of steps. The one invariant: within a lane all numbers have the same unit.
 *
 * A logarithmic axis has no zero, so no band is ever drawn on one: mean ± std becomes the line of std, min to max that of max |x|.
 */

import type { Palette } from "../draw/palette";
import { labelOf } from "../statistics";
import type { CssPixels } from "../units";
import { type History, isScalar } from "./history";
import type { ScaleKind } from "./scale";
import { weakly } from "./weakly";

export type AxisKind = Extract<ScaleKind, "linear" | "log" | "symlog">;
export type Unit = "size" | "norm" | "share";

/** One thing that can be switched on: a band, or the line of a statistic. */
export interface Choice {
  readonly id: string;
  readonly label: string;
  readonly unit: Unit;
  /** Columns it needs. */
  readonly columns: readonly string[];
}

export interface Line {
  readonly label: string;
  readonly values: Float32Array;
  readonly width: CssPixels;
  readonly dash?: readonly CssPixels[];
  readonly bold?: boolean;
  /** The axis doesn't reach down to it: a mean near zero would flatten all else. */
  readonly minor?: boolean;
}

export interface Band {
  readonly lower: Float32Array;
  readonly upper: Float32Array;
  readonly opacity: number;
  /** Draws a hairline along both edges. */
  readonly edges: boolean;
}

export interface Lane {
  readonly unit: Unit;
  readonly lines: readonly Line[];
  readonly bands: readonly Band[];
}

const MEAN = "mean";
const SPREAD = "spread";
const RANGE = "range";

function unitOf(name: string): Unit {
  if (name.endsWith("_fraction")) return "share";
  return name.endsWith("_norm") ? "norm" : "size";
}

/** What can be shown of a history: the two bands first, then every column that has a number somewhere. */
export const choicesOf = weakly((history: History): readonly Choice[] => {
  const has = (...names: string[]): boolean =>
    names.every((name) => history.columns.get(name)?.some((value) => !Number.isNaN(value)));
  if (isScalar(history)) return [{ id: MEAN, label: "value", unit: "size", columns: [MEAN] }];
  const choices: Choice[] = [];
  if (has("min", "max")) choices.push({ id: RANGE, label: "min to max", unit: "size", columns: ["min", "max"] });
  if (has("mean", "std")) choices.push({ id: SPREAD, label: "mean ± std", unit: "size", columns: ["mean", "std"] });
  for (const name of history.columns.keys()) {
    if (has(name)) choices.push({ id: name, label: labelOf(name), unit: unitOf(name), columns: [name] });
  }
  return choices;
});

const DASHES: readonly (readonly CssPixels[] | undefined)[] = [undefined, [6, 3], [2, 2], [8, 3, 2, 3], [1, 3]];
const UNITS: readonly Unit[] = ["size", "norm", "share"];

/** The lanes of the chosen statistics, top to bottom. */
export function lanesOf(history: History, chosen: ReadonlySet<string>, axis: AxisKind, palette: Palette): Lane[] {
  const choices = choicesOf(history).filter((choice) => chosen.has(choice.id));
  return UNITS.flatMap((unit) => {
    const members = choices.filter((choice) => choice.unit === unit);
    if (members.length === 0) return [];
    return [axis === "log" ? logLane(history, unit, members) : plainLane(history, unit, members, palette)];
  });
}

function column(history: History, name: string): Float32Array {
  return history.columns.get(name) ?? new Float32Array(history.steps.length).fill(NaN);
}

function plainLane(history: History, unit: Unit, members: readonly Choice[], palette: Palette): Lane {
  const bands = members
    .filter((choice) => choice.id === RANGE || choice.id === SPREAD)
    .map((choice) => bandOf(history, choice.id, palette));
  const singles = members.filter((choice) => choice.id !== RANGE && choice.id !== SPREAD);
  const lines = singles.map((choice, index) =>
    lineOf(choice.label, column(history, choice.id), choice.id === MEAN ? 0 : index, choice.id === MEAN),
  );
  return { unit, bands, lines };
}

function lineOf(label: string, values: Float32Array, style: number, main: boolean): Line {
  return { label, values, width: main ? 1.75 : 1.25, dash: DASHES[style % DASHES.length], bold: main };
}

function bandOf(history: History, id: string, palette: Palette): Band {
  if (id === RANGE) {
    return {
      lower: column(history, "min"),
      upper: column(history, "max"),
      opacity: palette.outerBand,
      edges: true,
    };
  }
  const [mean, std] = [column(history, "mean"), column(history, "std")];
  const floor = column(history, "min");
  // Where nothing is negative, mean − std may be: the band is about the data, so it ends where the data end.
  const lower = mean.map((value, row) => Math.max(value - std[row], Number.isNaN(floor[row]) ? -Infinity : floor[row]));
  return {
    lower,
    upper: mean.map((value, row) => value + std[row]),
    opacity: palette.innerBand,
    edges: false,
  };
}

function logLane(history: History, unit: Unit, members: readonly Choice[]): Lane {
  const wanted = new Map<string, Float32Array>();
  for (const choice of members) {
    if (choice.id === RANGE) wanted.set("max |x|", largestMagnitude(history));
    else if (choice.id === SPREAD) wanted.set("std", column(history, "std"));
    else if (["mean", "min", "max"].includes(choice.id))
      wanted.set(`|${choice.label}|`, column(history, choice.id).map(Math.abs));
    else wanted.set(choice.label, column(history, choice.id));
  }
  const dashes: Readonly<Record<string, number>> = { std: 0, "max |x|": 1, "|mean|": 2 };
  const lines = [...wanted].map(([label, values], index) => ({
    ...lineOf(label, values, dashes[label] ?? index, label === "std"),
    minor: label === "|mean|" && wanted.size > 1,
  }));
  return { unit, bands: [], lines };
}

function largestMagnitude(history: History): Float32Array {
  const [low, high] = [column(history, "min"), column(history, "max")];
  return low.map((value, row) => Math.max(Math.abs(value), Math.abs(high[row])));
}

/** The other run in the same lanes: mean and mean ± std only (std on a log axis), without its outliers. */
export function compareLines(history: History, unit: Unit, axis: AxisKind): Float32Array[] {
  if (unit !== "size") return [];
  if (axis === "log") return [column(history, "std")];
  const [mean, std] = [column(history, "mean"), column(history, "std")];
  return [mean, mean.map((value, row) => value - std[row]), mean.map((value, row) => value + std[row])];
}
