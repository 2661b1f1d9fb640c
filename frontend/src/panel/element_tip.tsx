/*
 * The tip over one element of a tensor: its number in full and where it stands. The one invariant: the index in brackets is numpy's.
 */

import type { JSX } from "preact";
import { Tip } from "../charts/tip";
import { formatFull } from "../format";
import { placeWords } from "../tensor/facts";
import type { Cell } from "../tensor/cell_cursor";
import { elementAt } from "../tensor/plane";
import type { CellPlace } from "./cells";
import { indexAt, type Scene, scenePlane } from "./scene";

/** The same as one sentence, to be read out. */
export function elementWords(scene: Scene, { tile, row, column }: Cell): string {
  const value = elementAt(scenePlane(scene, tile), row, column);
  return `${formatFull(value)}, ${placeWords(indexAt(scene, tile, row, column), scene.names)}`;
}

export function ElementTip({ scene, at }: { readonly scene: Scene; readonly at: CellPlace }): JSX.Element {
  const index = indexAt(scene, at.tile, at.row, at.column);
  return (
    <Tip x={at.x} y={at.y}>
      <b>{formatFull(elementAt(scenePlane(scene, at.tile), at.row, at.column))}</b>
      <div class="dim">{placeWords(index, scene.names)}</div>
      <div class="dim mono">[{index.join(", ")}]</div>
    </Tip>
  );
}
