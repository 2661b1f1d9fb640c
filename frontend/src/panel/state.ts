/*
 * What the user chose inside the node panel. The one invariant: a choice belongs to the panel and not to a node, so that going from node to node
 * compares like with like; a choice that a node can't follow is passed over for that node and kept for the next. Every choice is part of the address.
 */

import { signal } from "@preact/signals";
import type { AxisKind } from "../charts/lanes";
import { choiceLink, linkSignal, setLink, stepLink, switchLink } from "../host";
import type { LinkCodec } from "../host";
import type { ViewKind } from "../tensor/arrangement";
import type { Extent } from "../tensor/coloring";
import type { Quantity } from "../types";
import { QUANTITIES } from "../types";

/** Which example of the kept ones, 0-based. */
export const example = signal(0);

/** Shows value, gradient and update side by side. */
export const beside = signal(false);

/** What the charts show: ids of `choicesOf`. */
export const DEFAULT_STATISTICS: ReadonlySet<string> = new Set(["range", "spread", "mean"]);
export const chosenStatistics = signal(DEFAULT_STATISTICS);
export const axisKinds = signal<Readonly<Record<Quantity, AxisKind>>>({
  value: "linear",
  gradient: "log",
  update: "log",
});

export type HistogramStyle = "heat" | "ridges";
export const histogramStyle = signal<HistogramStyle>("heat");

const VIEW_KINDS: readonly ViewKind[] = ["images", "attention", "heat", "bars", "table", "number"];

/** The view of values the user asked for; null: what suits the node best. */
export const wantedView = signal<ViewKind | null>(null);

export const extents = signal<Readonly<Record<Quantity, Extent>>>({
  value: "percentile",
  gradient: "percentile",
  update: "percentile",
});
export const squareRoot = signal<boolean | null>(null);

/** What is subtracted from the value on show; `beside`: what is compared stands beside it. */
export type Minus = (typeof SIDES)[number];
const SIDES = ["nothing", "previous", "first", "compared", "beside"] as const;
export const minus = signal<Minus>("nothing");

/** What is compared stands beside the value as soon as it is, unless something else was asked for. */
export function standBeside(compared: boolean): void {
  const [before, after]: readonly Minus[] = compared ? ["nothing", "beside"] : ["beside", "nothing"];
  if (minus.peek() === before) minus.value = after;
}

/** The tile (channel, head, filter) and the row (query) that are outlined in every picture. */
export const chosenTile = signal<number | null>(null);
export const chosenRow = signal<number | null>(null);

/** The chosen one of so many rows; before the user chose, that in the middle: the first of a causal map sees itself alone. */
export function chosenQuery(rows: number, chosen: number | null): number {
  return Math.min(chosen ?? rows >> 1, rows - 1);
}

/** Page of a grid that doesn't fit. */
export const tilePage = signal(0);

const SORTINGS = ["index", "value", "size"] as const;
export type Sorting = (typeof SORTINGS)[number];
/** Order of bars. */
export const sorting = signal<Sorting>("index");

/** The charts that are shown as tables. */
export type ChartName = "statistics" | "histogram" | "ridges";
export const tables = signal<ReadonlySet<ChartName>>(new Set());

export function toggleTable(chart: ChartName): void {
  const now = new Set(tables.peek());
  if (!now.delete(chart)) now.add(chart);
  tables.value = now;
}

/** Examples kept of what is on show; 0 when it has none. */
export const exampleCount = signal(0);

/** Goes `count` examples on, and stops at the ends. */
export function moveExample(count: number): void {
  const last = Math.max(0, exampleCount.peek() - 1);
  example.value = Math.min(last, Math.max(0, Math.min(last, example.peek()) + count));
}

// The address. It is read before the panel itself is loaded, so this file imports nothing that draws.

const countLink: LinkCodec<number> = {
  encode: (value) => (value === 0 ? null : String(value)),
  decode: (text) => stepLink.decode(text) ?? 0,
};

/** One choice per quantity, `gradient:step,update:tile`; those that are as they began are not mentioned. */
export function perQuantityLink<T extends string>(
  initial: Readonly<Record<Quantity, T>>,
  choices: readonly T[],
): LinkCodec<Readonly<Record<Quantity, T>>> {
  return {
    encode: (chosen) => {
      const changed = QUANTITIES.filter((each) => chosen[each] !== initial[each]);
      return changed.length === 0 ? null : changed.map((each) => `${each}:${chosen[each]}`).join(",");
    },
    decode: (text) => {
      const decoded = { ...initial };
      for (const part of text?.split(",") ?? []) {
        const [name, value] = part.split(":");
        const of = QUANTITIES.find((each) => each === name);
        const choice = choices.find((each) => each === value);
        if (of !== undefined && choice !== undefined) decoded[of] = choice;
      }
      return decoded;
    },
  };
}

const statisticsLink: LinkCodec<ReadonlySet<string>> = {
  encode: (chosen) => {
    const same = chosen.size === DEFAULT_STATISTICS.size && [...chosen].every((id) => DEFAULT_STATISTICS.has(id));
    return same ? null : [...chosen].join(",");
  },
  decode: (text) => (text === null ? DEFAULT_STATISTICS : new Set(text.split(",").filter((id) => id !== ""))),
};

const viewLink: LinkCodec<ViewKind | null> = {
  encode: (kind) => kind,
  decode: (text) => VIEW_KINDS.find((kind) => kind === text) ?? null,
};

linkSignal("example", example, countLink);
linkSignal("beside", beside, switchLink(false));
linkSignal("picture", wantedView, viewLink);
linkSignal("minus", minus, choiceLink<Minus>("nothing", SIDES));
linkSignal("extent", extents, perQuantityLink(extents.peek(), ["steps", "percentile", "step", "tile"]));
linkSignal("axis", axisKinds, perQuantityLink(axisKinds.peek(), ["linear", "log", "symlog"]));
linkSignal("root", squareRoot, {
  encode: (on) => (on === null ? null : on ? "1" : "0"),
  decode: (text) => (text === null ? null : text === "1"),
});
linkSignal("lines", chosenStatistics, statisticsLink);
linkSignal("histogram", histogramStyle, choiceLink<HistogramStyle>("heat", ["heat", "ridges"]));
linkSignal("tile", chosenTile, stepLink);
linkSignal("line", chosenRow, stepLink);
linkSignal("page", tilePage, countLink);
linkSignal("sorting", sorting, choiceLink<Sorting>("index", SORTINGS));
linkSignal("tables", tables, setLink(new Set()));
