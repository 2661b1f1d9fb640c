/*
 * A vector as bars, by index or sorted by size. The one invariant: a bar keeps the index of its element, however the bars are sorted.
 */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef } from "preact/hooks";
import type { Plot } from "../charts/plot";
import { Picture } from "../charts/picture";
import { middleOf } from "../draw/pen";
import { formatCount } from "../format";
import { barAt, drawBars } from "../tensor/bars_chart";
import { type Cell, CELL_KEYS } from "../tensor/cell_cursor";
import { flatten } from "../tensor/plane";
import type { Paint } from "../widgets/canvas";
import { useCells } from "./cells";
import { ElementTip, elementWords } from "./element_tip";
import { axisName, indexLabel, reachOf, scenePlane } from "./scene";
import { chosenTile, type Sorting, sorting } from "./state";
import type { PictureOfScene } from "./tiles_picture";

/** Indices of `values` in the order of the bars; NaN stands first, where it can't be missed. */
export function sortedOrder(values: ArrayLike<number>, by: Sorting): Uint32Array {
  const order = Uint32Array.from({ length: values.length }, (_, index) => index);
  if (by === "index") return order;
  const keyOf = (index: number): number => {
    const value = by === "size" ? Math.abs(values[index]) : values[index];
    return Number.isNaN(value) ? Infinity : value;
  };
  return order.sort((a, b) => (keyOf(b) === keyOf(a) ? a - b : keyOf(b) - keyOf(a)));
}

export function BarsPicture({ scene, areaRef, baseRef }: PictureOfScene): JSX.Element {
  const plot = useRef<Plot | null>(null);
  const values = useMemo(() => flatten(scenePlane(scene)), [scene]);
  const order = useMemo(() => sortedOrder(values, sorting.value), [values, sorting.value]);
  const reach = useMemo(() => reachOf(scene), [scene]);
  const name = axisName(scene, "column");
  const base = useCallback<Paint>(
    (pen, { width, height }, palette) => {
      const picture = {
        values,
        order,
        color: palette.quantity[scene.quantity],
        name,
        label: indexLabel(scene),
        ...reach,
      };
      plot.current = drawBars(pen, width, height, picture, palette);
    },
    [scene, values, order, name, reach],
  );
  baseRef.current = base;
  const chosen = chosenTile.value;
  const element = ({ column }: Cell): Cell => ({ tile: 0, row: 0, column: order[column] });
  const { at, handlers } = useCells({
    extent: { tiles: 1, rows: 1, columns: values.length },
    find: (x) => {
      const column = plot.current === null ? -1 : barAt(plot.current, values.length, x);
      return column < 0 ? null : { tile: 0, row: 0, column };
    },
    middleOf: ({ column }) => {
      const { x, y, width, height } = plot.current?.box ?? { x: 0, y: 0, width: 0, height: 0 };
      return middleOf({ x: x + (column * width) / values.length, y, width: width / values.length, height });
    },
    choose: ({ column }) => (chosenTile.value = order[column]),
    say: (cell) => elementWords(scene, element(cell)),
  });
  const over = useCallback<Paint>(
    (pen, _area, palette) => {
      if (plot.current === null) return;
      const { box } = plot.current;
      const width = box.width / values.length;
      for (const place of [at?.column ?? -1, chosen === null ? -1 : order.indexOf(chosen)]) {
        if (place >= 0)
          pen.rect(
            { ...box, x: box.x + place * width, width: Math.max(2, width) },
            { color: palette.here, opacity: 0.22 },
          );
      }
    },
    [values, order, at?.column, chosen, base],
  );
  return (
    <Picture
      className="fill"
      label={`${formatCount(values.length)} numbers of the ${scene.quantity} as bars.`}
      base={base}
      over={over}
      areaRef={areaRef}
      keys={CELL_KEYS}
      {...handlers}
    >
      {at !== null && <ElementTip scene={scene} at={{ ...at, ...element(at) }} />}
    </Picture>
  );
}
