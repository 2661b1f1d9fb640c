/*
 * One plane as a table of numbers. The one invariant: heads are the indices that numpy takes, except that examples are counted from 1.
 */

import type { NumberTableProps } from "../tensor/number_table";
import { elementAt } from "../tensor/plane";
import { axisName, indexLabel, type Scene, scenePlane } from "./scene";
import { chosenTile } from "./state";

export function planeTable(scene: Scene): NumberTableProps {
  const { arrangement, subject } = scene;
  const plane = scenePlane(scene, chosenTile.value ?? 0);
  const label = indexLabel(scene);
  const columnName = axisName(scene, "column");
  const examples = subject.batched && arrangement.row === 0;
  return {
    label: `Numbers of the ${scene.quantity}`,
    rows: plane.rows,
    columns: plane.columns,
    corner: axisName(scene, "row"),
    rowHead: (row) => (arrangement.row === null ? "" : label("row", row)),
    columnHead: (column) => (columnName === "" ? "value" : `${columnName} ${label("column", column)}`),
    cell: (row, column) => elementAt(plane, row, column),
    chosenRow: examples ? scene.index[0] : -1,
  };
}
