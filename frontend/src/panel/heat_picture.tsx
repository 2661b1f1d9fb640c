/*
 * One plane as a heat map. A click on a row chooses the example, where rows are examples, else the row.
 */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import { COLORBAR_GAP, COLORBAR_WIDTH, type ColorbarPlace, drawColorbar, drawColorbarMark } from "../charts/colorbar";
import { Picture, placeOf } from "../charts/picture";
import { colormap } from "../colormap";
import { formatCount } from "../format";
import { drawHeat, heatCellAt, type HeatLayout } from "../tensor/heat_chart";
import { elementAt } from "../tensor/plane";
import type { Paint } from "../widgets/canvas";
import { type ElementPlace, ElementTip } from "./element_tip";
import { commonColoring, scenePlane } from "./scene";
import { chosenRow, example } from "./state";
import type { PictureOfScene } from "./tiles_picture";

interface Placed {
  readonly layout: HeatLayout;
  readonly bar: ColorbarPlace;
}

export function HeatPicture({ scene, areaRef, baseRef }: PictureOfScene): JSX.Element {
  const [hover, setHover] = useState<ElementPlace | null>(null);
  const placed = useRef<Placed | null>(null);
  const plane = useMemo(() => scenePlane(scene), [scene]);
  const coloring = commonColoring(scene);
  const examples = scene.subject.batched && scene.arrangement.row === 0;
  const rowName = scene.arrangement.row === null ? "" : scene.names[scene.arrangement.row];
  const columnName = scene.arrangement.column === null ? "" : scene.names[scene.arrangement.column];
  const base = useCallback<Paint>(
    (pen, area, palette) => {
      const map = colormap(coloring.map);
      const picture = { plane, ink: { coloring, map }, rowName, columnName, firstRowIndex: examples ? 1 : 0 };
      const layout = drawHeat(pen, area.width - COLORBAR_WIDTH, area.height, picture, palette);
      const { box } = layout;
      const bar = { x: box.x + box.width + COLORBAR_GAP, y: box.y + 5, height: Math.max(60, box.height - 10) };
      drawColorbar(pen, bar, coloring, map, palette);
      placed.current = { layout, bar };
    },
    [plane, coloring, rowName, columnName, examples],
  );
  baseRef.current = base;
  const row = examples ? scene.index[0] : chosenRow.value;
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
      if (hover !== null) drawColorbarMark(pen, bar, coloring, elementAt(plane, hover.row, hover.column), palette);
    },
    [plane, coloring, row, hover, base],
  );
  const locate = (event: PointerEvent): ElementPlace | null => {
    const { x, y } = placeOf(event);
    const hit = placed.current === null ? undefined : heatCellAt(placed.current.layout, plane, x, y);
    return hit === undefined ? null : { ...hit, tile: 0, x, y };
  };
  return (
    <Picture
      className="fill"
      label={`The ${scene.quantity} as ${formatCount(plane.rows)} × ${formatCount(plane.columns)} cells: ${rowName || "one row"} down, ${columnName || "one column"} across.`}
      base={base}
      over={over}
      areaRef={areaRef}
      onPointerMove={(event) => setHover(locate(event))}
      onPointerLeave={() => setHover(null)}
      onPointerUp={(event) => {
        const hit = locate(event);
        if (hit === null) return;
        if (examples) example.value = hit.row;
        else chosenRow.value = hit.row;
      }}
    >
      {hover !== null && <ElementTip scene={scene} at={hover} />}
    </Picture>
  );
}
