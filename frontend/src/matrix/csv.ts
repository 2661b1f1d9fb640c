/** The matrix as a table: one line per node and column that is shown and has something, with the exact numbers. */

import type { StepRange } from "../charts/timeline";
import { csvField } from "../export/csv";
import { formatExact } from "../format";
import type { GraphNode, Matrix } from "../types";
import type { NodeIndex } from "../units";

const HEAD = "node,quantity,statistic,first_step,last_step,low,high,nonfinite";

/** What is shown: `rows` in their order, columns that lie in `range`. Parts of a file, since the whole may be longer than a string can be. */
export function matrixCsv(
  matrix: Matrix,
  rows: readonly NodeIndex[],
  nodes: readonly GraphNode[],
  range: StepRange,
  quantity: string,
  statistic: string,
): string[] {
  const columns = [...matrix.start.keys()].filter(
    (column) => matrix.stop[column] >= range.first && matrix.start[column] <= range.last,
  );
  const parts = [`${HEAD}\r\n`];
  for (const node of rows) {
    const name = [nodes[node].name, quantity, statistic].map(csvField).join(",");
    const lines: string[] = [];
    for (const column of columns) {
      const at = node * matrix.columns + column;
      if (Number.isNaN(matrix.low[at]) && matrix.nonfinite[at] === 0) continue;
      const numbers = [
        formatExact(matrix.start[column], false),
        formatExact(matrix.stop[column], false),
        formatExact(matrix.low[at]),
        formatExact(matrix.high[at]),
      ];
      lines.push(`${name},${numbers.join(",")},${matrix.nonfinite[at]}\r\n`);
    }
    parts.push(lines.join(""));
  }
  return parts;
}
