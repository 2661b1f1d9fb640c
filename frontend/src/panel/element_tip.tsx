/*
 * The tip over one element of a tensor: its number in full and where it stands. The one invariant: the index in brackets is numpy's.
 */

import type { JSX } from "preact";
import { Tip } from "../charts/tip";
import { formatFull } from "../format";
import { placeWords } from "../tensor/facts";
import { elementAt } from "../tensor/plane";
import type { CssPixels } from "../units";
import { indexAt, type Scene, scenePlane } from "./scene";

export interface ElementPlace {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly tile: number;
  readonly row: number;
  readonly column: number;
}

export function ElementTip({ scene, at }: { readonly scene: Scene; readonly at: ElementPlace }): JSX.Element {
  const index = indexAt(scene, at.tile, at.row, at.column);
  return (
    <Tip x={at.x} y={at.y}>
      <b>{formatFull(elementAt(scenePlane(scene, at.tile), at.row, at.column))}</b>
      <div class="dim">{placeWords(index, scene.names)}</div>
      <div class="dim mono">[{index.join(", ")}]</div>
    </Tip>
  );
}
