/*
 * Image grid and attention maps: one tile per channel, head or filter. The one invariant: the chosen tile and row are shared by all pictures
 * beside each other, so that the same channel can be found in value and gradient.
 */

import type { JSX } from "preact";
import { useCallback, useRef, useState } from "preact/hooks";
import { COLORBAR_GAP, COLORBAR_WIDTH, type ColorbarPlace, drawColorbar, drawColorbarMark } from "../charts/colorbar";
import { Picture } from "../charts/picture";
import { colormap } from "../colormap";
import { type Box, middleOf } from "../draw/pen";
import { formatCount, formatNumber } from "../format";
import { type Cell, CELL_KEYS } from "../tensor/cell_cursor";
import { meanRowEntropy, plural } from "../tensor/facts";
import { type GridLayout, gridLayout, tileAt, tileBox, tileGap, tilesPerPage } from "../tensor/grid_layout";
import { drawReadCell } from "../tensor/marks";
import { elementAt, type Plane } from "../tensor/plane";
import { drawChosenRow, drawChosenTile, drawTiles, type Tile } from "../tensor/tiles_chart";
import type { Area, Paint } from "../widgets/canvas";
import {
  axisName,
  coloringFor,
  commonColoring,
  deadTiles,
  type Scene,
  scenePlane,
  tileCount,
  tileValues,
} from "./scene";
import { type CellPlace, useCells } from "./cells";
import { ElementTip, elementWords } from "./element_tip";
import { chosenQuery, chosenRow, chosenTile, tilePage } from "./state";
import { Stepper } from "./stepper";

const CAPTION = 18;

interface Placed {
  readonly layout: GridLayout;
  readonly bar: ColorbarPlace | null;
}

/** What a picture draws, and the room it has. */
export interface Drawn {
  readonly areaRef: { current: Area };
  readonly baseRef: { current: Paint | null };
}

export interface PictureOfScene extends Drawn {
  readonly scene: Scene;
}

export function TilesPicture({ scene, areaRef, baseRef }: PictureOfScene): JSX.Element {
  const count = tileCount(scene);
  const page = tilePage.value;
  const [perPage, setPerPage] = useState(count);
  const placed = useRef<Placed | null>(null);
  const pages = Math.max(1, Math.ceil(count / perPage));
  const first = Math.min(page, pages - 1) * perPage;
  const shown = Math.min(perPage, count - first);
  const base = useTiles(scene, first, placed, setPerPage);
  baseRef.current = base;
  const plane = scenePlane(scene);
  const { at, handlers } = useCells({
    extent: { tiles: count, rows: plane.rows, columns: plane.columns },
    find: (x, y) => {
      const { layout } = placed.current ?? {};
      const hit = layout === undefined ? undefined : tileAt(layout, shown, plane.columns, plane.rows, x, y);
      return hit === undefined ? null : { ...hit, tile: first + hit.tile };
    },
    middleOf: (cell) => middleOf(cellBox(placed.current, plane, first, cell)),
    choose: (cell) => choose(scene, cell),
    say: (cell) => elementWords(scene, cell),
    show: (cell) => (tilePage.value = Math.floor(cell.tile / perPage)),
  });
  const over = useOverTiles(scene, first, shown, at, placed);
  return (
    <div class="tiles">
      <Picture
        className="fill"
        label={label(scene, count)}
        base={base}
        over={over}
        areaRef={areaRef}
        keys={CELL_KEYS}
        {...handlers}
      >
        {at !== null && <ElementTip scene={scene} at={at} />}
      </Picture>
      {pages > 1 && (
        <Stepper
          name={`${plural(axisName(scene, "tile"))} ${formatCount(first)}–${formatCount(first + shown - 1)}, page`}
          index={Math.min(page, pages - 1)}
          count={pages}
          base={1}
          onChange={(to) => (tilePage.value = to)}
        />
      )}
    </div>
  );
}

/** A click chooses the tile; in attention maps, the row: the query whose keys are listed. */
function choose(scene: Scene, hit: Cell): void {
  if (scene.kind === "attention") chosenRow.value = hit.row;
  else chosenTile.value = chosenTile.peek() === hit.tile ? null : hit.tile;
}

/** Where a cell of a tile is drawn. */
function cellBox(placed: Placed | null, plane: Plane, first: number, { tile, row, column }: Cell): Box {
  if (placed === null) return { x: 0, y: 0, width: 0, height: 0 };
  const box = tileBox(placed.layout, tile - first);
  const [width, height] = [box.width / plane.columns, box.height / plane.rows];
  return { x: box.x + column * width, y: box.y + row * height, width, height };
}

function label(scene: Scene, count: number): string {
  const plane = scenePlane(scene);
  const name = axisName(scene, "tile") || "picture";
  return `${formatCount(count)} ${plural(name)} of the ${scene.quantity}, ${plane.rows} × ${plane.columns} each.`;
}

function useTiles(
  scene: Scene,
  first: number,
  placed: { current: Placed | null },
  setPerPage: (count: number) => void,
): Paint {
  return useCallback<Paint>(
    (pen, area, palette) => {
      const count = tileCount(scene);
      const plane = scenePlane(scene);
      const attention = scene.kind === "attention";
      const box = {
        imageWidth: plane.columns,
        imageHeight: plane.rows,
        width: area.width - COLORBAR_WIDTH,
        height: area.height,
        gap: attention ? 12 : tileGap(area.height),
        caption: attention ? CAPTION : 0,
      };
      const perPage = Math.min(count, tilesPerPage(box));
      setPerPage(perPage);
      const shown = Math.min(perPage, count - first);
      const layout = gridLayout({ ...box, count: shown });
      const common = commonColoring(scene);
      const zero = deadTiles(scene);
      const ownScale = scene.extent === "tile";
      const tiles = Array.from({ length: shown }, (_, at): Tile => {
        const tile = first + at;
        const coloring = ownScale ? coloringFor(scene, tileValues(scene, tile)) : common;
        const shownPlane = scenePlane(scene, tile);
        const caption = attention ? captionOf(scene, tile) : undefined;
        return {
          plane: shownPlane,
          ink: { coloring, map: colormap(coloring.map) },
          zero: zero[tile] ?? false,
          caption,
        };
      });
      drawTiles(pen, { tiles, layout }, palette);
      const height = layout.rows * (layout.tileHeight + layout.caption + layout.gap) - layout.gap - layout.caption;
      const width = layout.columns * (layout.tileWidth + layout.gap) - layout.gap;
      const bar = ownScale
        ? null
        : { x: width + COLORBAR_GAP, y: layout.caption + 5, height: Math.max(40, height - 10) };
      if (bar !== null) drawColorbar(pen, bar, common, colormap(common.map), palette);
      placed.current = { layout, bar };
    },
    [scene, first, placed, setPerPage],
  );
}

function captionOf(scene: Scene, tile: number): readonly [string, string] {
  const entropy = meanRowEntropy(scenePlane(scene, tile));
  const name = axisName(scene, "tile");
  return [`${name} ${tile}`, Number.isNaN(entropy) ? "" : `entropy ${formatNumber(entropy)}`];
}

function useOverTiles(
  scene: Scene,
  first: number,
  shown: number,
  at: CellPlace | null,
  placed: { readonly current: Placed | null },
): Paint {
  const tile = chosenTile.value;
  const row = chosenRow.value;
  return useCallback<Paint>(
    (pen, _area, palette) => {
      if (placed.current === null) return;
      const { layout, bar } = placed.current;
      const plane = scenePlane(scene);
      if (scene.kind === "attention")
        drawChosenRow(pen, layout, shown, plane.rows, chosenQuery(plane.rows, row), palette);
      else if (tile !== null && tile >= first && tile < first + shown)
        drawChosenTile(pen, layout, tile - first, palette);
      if (at === null) return;
      drawReadCell(pen, cellBox(placed.current, plane, first, at), palette);
      const value = elementAt(scenePlane(scene, at.tile), at.row, at.column);
      if (bar !== null) drawColorbarMark(pen, bar, commonColoring(scene), value, palette);
    },
    [scene, first, shown, at?.tile, at?.row, at?.column, tile, row, placed],
  );
}
