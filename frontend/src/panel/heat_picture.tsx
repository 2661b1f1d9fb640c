/*
 * One plane as a heat map. A click on a row chooses the example, where rows are examples, else the row.
 */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef } from "preact/hooks";
import { COLORBAR_GAP, COLORBAR_WIDTH, type ColorbarPlace, drawColorbar, drawColorbarMark } from "../charts/colorbar";
import { Picture } from "../charts/picture";
import { colormap } from "../colormap";
import { type Box, middleOf } from "../draw/pen";
import { formatCount } from "../format";
import { type Cell, CELL_KEYS } from "../tensor/cell_cursor";
import { drawHeat, heatCellAt, heatCellBox, type HeatLayout } from "../tensor/heat_chart";
import { drawReadCell } from "../tensor/marks";
import { elementAt } from "../tensor/plane";
import type { Paint } from "../widgets/canvas";
import { useCells } from "./cells";
import { ElementTip, elementWords } from "./element_tip";
import { axisName, commonColoring, indexLabel, scenePlane } from "./scene";
import { chosenRow, example } from "./state";
import type { PictureOfScene } from "./tiles_picture";

interface Placed {
  readonly layout: HeatLayout;
  readonly bar: ColorbarPlace;
}

export function HeatPicture({ scene, areaRef, baseRef }: PictureOfScene): JSX.Element {
  const placed = useRef<Placed | null>(null);
  const plane = useMemo(() => scenePlane(scene), [scene]);
  const coloring = commonColoring(scene);
  const examples = scene.subject.batched && scene.arrangement.row === 0;
  const [rowName, columnName] = [axisName(scene, "row"), axisName(scene, "column")];
  const base = useCallback<Paint>(
    (pen, area, palette) => {
      const map = colormap(coloring.map);
      const picture = {
        plane,
        ink: { coloring, map },
        rowName,
        columnName,
        label: indexLabel(scene),
      };
      const layout = drawHeat(pen, area.width - COLORBAR_WIDTH, area.height, picture, palette);
      const { box } = layout;
      const bar = { x: box.x + box.width + COLORBAR_GAP, y: box.y + 5, height: Math.max(60, box.height - 10) };
      drawColorbar(pen, bar, coloring, map, palette);
      placed.current = { layout, bar };
    },
    [scene, plane, coloring, rowName, columnName],
  );
  baseRef.current = base;
  const row = examples ? scene.index[0] : chosenRow.value;
  const cellBox = (cell: Cell): Box =>
    placed.current === null
      ? { x: 0, y: 0, width: 0, height: 0 }
      : heatCellBox(placed.current.layout, plane, cell.row, cell.column);
  const { at, handlers } = useCells({
    extent: { tiles: 1, rows: plane.rows, columns: plane.columns },
    find: (x, y) => {
      const hit = placed.current === null ? undefined : heatCellAt(placed.current.layout, plane, x, y);
      return hit === undefined ? null : { ...hit, tile: 0 };
    },
    middleOf: (cell) => middleOf(cellBox(cell)),
    choose: (cell) => {
      if (examples) example.value = cell.row;
      else chosenRow.value = cell.row;
    },
    say: (cell) => elementWords(scene, cell),
  });
  const over = useCallback<Paint>(
    (pen, _area, palette) => {
      if (placed.current === null) return;
      const { layout, bar } = placed.current;
      const { box } = layout;
      const height = box.height / plane.rows;
      if (row !== null && row < plane.rows) {
        const outline = { x: box.x - 1, y: box.y + row * height - 1, width: box.width + 2, height: height + 2 };
        pen.outline(outline, { color: palette.hereLine, width: 2 });
      }
      if (at === null) return;
      drawReadCell(pen, cellBox(at), palette);
      drawColorbarMark(pen, bar, coloring, elementAt(plane, at.row, at.column), palette);
    },
    [plane, coloring, row, at?.row, at?.column, base],
  );
  return (
    <Picture
      className="fill"
      label={`The ${scene.quantity} as ${formatCount(plane.rows)} × ${formatCount(plane.columns)} cells: ${rowName || "one row"} down, ${columnName || "one column"} across.`}
      base={base}
      over={over}
      areaRef={areaRef}
      keys={CELL_KEYS}
      {...handlers}
    >
      {at !== null && <ElementTip scene={scene} at={at} />}
    </Picture>
  );
}
