/*
 * Writes CSV (RFC 4180). The one invariant: a number reads back as the same number, and no text of a run can become a formula in a
 * spreadsheet.
 */

import type { CommonHistogram } from "../charts/histogram";
import type { History } from "../charts/history";
import { formatExact } from "../format";
import type { Tensor } from "../types";

const END = "\r\n";

/** Spreadsheets run a field that starts like this; a quote before it makes it text. */
const FORMULA = /^[=+\-@\t\r]/;

export function csvField(text: string): string {
  const safe = FORMULA.test(text) && Number.isNaN(Number(text)) && text !== "-inf" ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function lineOf(fields: readonly string[]): string {
  return fields.map(csvField).join(",") + END;
}

/** A table of texts, its head first. */
export function tableCsv(rows: readonly (readonly string[])[]): string {
  return rows.map(lineOf).join("");
}

/** The history of a node: one line per capture. */
export function historyCsv(history: History): string {
  const names = [...history.columns.keys()];
  const counts: readonly (readonly [string, Float64Array])[] = [
    ["elements", history.elements],
    ["nan_count", history.nan],
    ["pos_inf_count", history.positiveInfinity],
    ["neg_inf_count", history.negativeInfinity],
  ];
  const lines = [lineOf(["step", ...names, ...counts.map(([name]) => name)])];
  for (let row = 0; row < history.steps.length; row += 1) {
    const numbers = names.map((name) => formatExact(history.columns.get(name)?.[row] ?? NaN));
    lines.push(
      lineOf([
        formatExact(history.steps[row], false),
        ...numbers,
        ...counts.map(([, values]) => formatExact(values[row], false)),
      ]),
    );
  }
  return lines.join("");
}

/** A histogram over steps: one line per column of the picture, the share of each bin below its lower edge. */
export function histogramCsv({ start, stop, low, high, bins, shares }: CommonHistogram): string {
  const edges = Array.from({ length: bins }, (_, bin) => formatExact(low + (bin * (high - low)) / bins, false));
  const rows = Array.from(start, (first, column) => [
    formatExact(first, false),
    formatExact(stop[column], false),
    ...Array.from(shares.subarray(column * bins, (column + 1) * bins), (share) => formatExact(share)),
  ]);
  return tableCsv([["first_step", "last_step", ...edges], ...rows]);
}

/** A sample in long form: the index in the whole tensor along every axis, then the value. The only form that suits any rank. */
export function tensorCsv(
  tensor: Pick<Tensor, "shape" | "data" | "dtype">,
  axes: readonly string[],
  strides: readonly number[],
): string {
  const { shape, data } = tensor;
  const single = tensor.dtype !== "F64" && tensor.dtype !== "I64";
  const parts = [lineOf([...axes.slice(0, shape.length), "value"])];
  const index = new Array<number>(shape.length).fill(0);
  for (let at = 0; at < data.length; at += 1) {
    parts.push(`${index.length > 0 ? `${index.join(",")},` : ""}${formatExact(data[at], single)}${END}`);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis] += strides[axis];
      if (index[axis] < shape[axis] * strides[axis]) break;
      index[axis] = 0;
    }
  }
  return parts.join("");
}
