/*
 * The columns of the node list. The one invariant: widths are in pixels and computed here alone, so that the layer of sparklines, the head
 * and the rows agree on where a column stands.
 */

import { computed, signal } from "@preact/signals";
import { recall, remember } from "../keys";
import { compareRun, compareStep, graph, quantity } from "../state";
import { labelOf, statisticsOf } from "../statistics";
import type { CssPixels } from "../units";
import { SPARKLINE_WIDTH } from "./history";

/** `statistic:<name>` is a further statistic beside the chosen one. */
export type ColumnId = "class" | "shape" | "number" | "difference" | "history" | "finding" | `statistic:${string}`;

export interface Column {
  readonly id: ColumnId;
  readonly label: string;
  readonly width: CssPixels;
}

/** What the user may add; number, history and findings are there unless taken away. */
const OPTIONAL: readonly Column[] = [
  { id: "class", label: "class", width: 104 },
  { id: "shape", label: "shape", width: 120 },
];
const NUMBER: Column = { id: "number", label: "chosen statistic", width: 66 };
const DIFFERENCE: Column = { id: "difference", label: "difference", width: 66 };
const HISTORY: Column = { id: "history", label: "history", width: SPARKLINE_WIDTH };
const FINDING: Column = { id: "finding", label: "findings", width: 26 };

export const COLUMN_GAP: CssPixels = 8;
export const ROW_END: CssPixels = 4;
const STORED = "tb_activations.columns";
export const USUAL_COLUMNS: ReadonlySet<ColumnId> = new Set(["number", "history", "finding"]);
/** Least width of names: columns that leave less aren't shown, from the left. */
const NAME_WIDTH: CssPixels = 110;
/** Below this width the sparkline takes more than its 96 px: there is room beside the short names. */
const NARROW_SHARE = 0.38;

/** The columns that this browser showed last. */
export function storedColumns(): ReadonlySet<ColumnId> {
  const text = recall(STORED);
  return text === null ? USUAL_COLUMNS : new Set(text.split(",") as ColumnId[]);
}

export const shownColumns = signal(storedColumns());

export function showColumns(chosen: ReadonlySet<ColumnId>): void {
  shownColumns.value = chosen;
  remember(STORED, [...chosen].join());
}

/** Everything that can be shown for the chosen quantity, in the order of the list. */
export const possibleColumns = computed<readonly Column[]>(() => {
  const statistics = statisticsOf(graph.value.data, quantity.value).filter((name) => name !== "update_ratio");
  const further = statistics.map((name): Column => ({
    id: `statistic:${name}`,
    label: labelOf(name),
    width: name.endsWith("_fraction") ? 74 : 66,
  }));
  return [...OPTIONAL, ...further, NUMBER, HISTORY, FINDING];
});

/** Is there a second run or a second step to stand beside the first? */
export const comparing = computed(() => compareRun.value !== null || compareStep.value !== null);

/** The columns right of the name for which a list of `width` pixels has room; all of them where `width` is 0. */
export function columnsFor(width: CssPixels, narrow: boolean): readonly Column[] {
  const chosen = possibleColumns.value.filter((column) => shownColumns.value.has(column.id));
  const history = narrow ? Math.max(SPARKLINE_WIDTH, Math.round(width * NARROW_SHARE)) : SPARKLINE_WIDTH;
  let room = width === 0 ? Infinity : width - NAME_WIDTH;
  return chosen
    .flatMap((column) => {
      if (column.id === "history") return [{ ...column, width: history }];
      return column.id === "number" && comparing.value ? [column, DIFFERENCE] : [column];
    })
    .reverse()
    .filter((column) => (room -= column.width + COLUMN_GAP) > 0)
    .reverse();
}

/** What the columns beyond the first three take; the list grows by it, so that names keep their room. */
export const furtherWidth = computed<CssPixels>(() => {
  const further = columnsFor(0, false).filter(({ id }) => !USUAL_COLUMNS.has(id));
  return further.reduce((sum, column) => sum + column.width + COLUMN_GAP, 0);
});

export function gridTemplate(columns: readonly Column[]): string {
  return ["minmax(0, 1fr)", ...columns.map((column) => `${column.width}px`)].join(" ");
}

/** Distance of a column's left edge from the right edge of the list; null when it isn't shown. */
export function fromRight(columns: readonly Column[], id: ColumnId): CssPixels | null {
  const at = columns.findIndex((column) => column.id === id);
  if (at < 0) return null;
  return columns.slice(at).reduce((sum, column) => sum + column.width + COLUMN_GAP, ROW_END - COLUMN_GAP);
}
