/*
 * What a picture of a value is made of: the numbers, how their axes lie, and how they are coloured.
 *
 * The one invariant: a scene is complete. Whoever draws it reads no state and asks for nothing, so value, gradient, update and differences are drawn
 * by the same code.
 */

import type { History } from "../charts/history";
import { weakly } from "../charts/weakly";
import { type Coloring, finiteRange } from "../colormap";
import { formatCount } from "../format";
import {
  axisNames,
  defaultArrangement,
  kindsOf,
  looksLikeAttention,
  type Presentation,
  type Subject,
  suits,
  tileAxis,
  type ViewKind,
} from "../tensor/arrangement";
import { chooseColoring, type Extent, historyRange } from "../tensor/coloring";
import type { IndexLabel } from "../tensor/heat_chart";
import { allZeroAlong, type Axis, difference, flatten, type Plane, planeOf, type Sliceable } from "../tensor/plane";
import type { GraphNode, Histogram, Quantity, Tensor, Value } from "../types";
import type { Step } from "../units";
import type { Arrangements } from "./axes";

export interface Scene extends Presentation {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly step: Step;
  /** The numbers on show: the sample, or a difference of two. */
  readonly tensor: Sliceable;
  /** The sample itself, for exports and words. */
  readonly value: Value;
  readonly isDifference: boolean;
  readonly subject: Subject;
  readonly names: readonly string[];
  readonly index: readonly number[];
  readonly extent: Extent;
  readonly squareRoot: boolean;
  readonly history: History | null;
  readonly histogram: Histogram | null;
  /** What stands beside it, in the same colours. */
  readonly beside: Side | null;
}

/** A sample, and the history that it comes from. */
export interface Side {
  readonly value: Value;
  readonly history: History | null;
  readonly histogram: Histogram | null;
}

export interface SceneRequest extends Side {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly step: Step;
  readonly subtrahend: Value | null;
  readonly wanted: ViewKind | null;
  readonly arrangements: Arrangements;
  readonly index: readonly number[];
  readonly example: number;
  /** The chosen channel, head or filter. */
  readonly tile: number;
  readonly extent: Extent;
  readonly squareRoot: boolean | null;
  readonly beside: Side | null;
}

/** Undefined where there is nothing to draw: no elements, or the difference of tensors with different shapes. */
export function sceneOf(request: SceneRequest): Scene | undefined {
  const { node, value, subtrahend } = request;
  const tensor = subtrahend === null ? value : difference(value, subtrahend);
  if (tensor === undefined || tensor.data.length === 0) return undefined;
  const subject: Subject = { shape: value.shape, batched: value.batch_axis === 0, node };
  const kinds = kindsOf(subject);
  const kind = request.wanted !== null && kinds.includes(request.wanted) ? request.wanted : kinds[0];
  const usual = defaultArrangement(subject, kind);
  const chosen = request.arrangements[kind];
  const isDifference = subtrahend !== null;
  const index = value.shape.map((extent, axis) => {
    const place =
      axis === 0 && subject.batched
        ? request.example
        : axis === tileAxis(subject)
          ? request.tile
          : (request.index[axis] ?? 0);
    return Math.max(0, Math.min(extent - 1, place));
  });
  return {
    ...request,
    tensor,
    isDifference,
    subject,
    kind,
    arrangement: chosen !== undefined && suits(chosen, usual, value.shape.length) ? chosen : usual,
    names: axisNames(subject),
    index,
    // The difference of two steps has no history to take its domain from.
    extent: isDifference && request.extent !== "tile" ? "step" : request.extent,
    squareRoot: request.squareRoot ?? looksLikeAttention(subject),
  };
}

/** The numbers on show, as a file takes them: a difference is in float64. */
export function shownTensor({
  isDifference,
  tensor,
  value,
}: Scene): Pick<Tensor, "dtype" | "shape" | "data" | "bytes"> {
  if (!isDifference) return value;
  const data = Float64Array.from(tensor.data);
  return { dtype: "F64", shape: tensor.shape, data, bytes: new Uint8Array(data.buffer) };
}

/** The colours of `values`, which are all of the scene or one tile of it. */
export function coloringFor(scene: Scene, values: ArrayLike<number>): Coloring {
  const { extent, squareRoot, history, histogram, node, quantity } = scene;
  const beside =
    extent === "tile" || scene.beside === null ? null : { ...scene.beside, values: scene.beside.value.data };
  const gray = node.kind === "input" && quantity === "value" && scene.kind === "images";
  return chooseColoring({ extent, squareRoot, history, histogram, values, beside, gray });
}

/** What the axis of bars reaches over: as the colours do, all steps or this one, of both sides where another stands beside it. */
export function reachOf({ extent, isDifference, history, value, beside }: Scene): { low: number; high: number } {
  const sides = isDifference ? [] : [{ history, value }, ...(beside === null ? [] : [beside])];
  const ends = sides.flatMap((side) => {
    const all = extent === "step" || side.history === null ? undefined : historyRange(side.history);
    const { low, high } = all ?? finiteRange(side.value.data) ?? { low: 0, high: 0 };
    return [low, high];
  });
  return { low: Math.min(0, ...ends), high: Math.max(0, ...ends) };
}

/** How the index of a row or column is written, which is that in the whole tensor; examples are counted from 1. */
export const indexLabel =
  ({ arrangement, value, subject }: Scene): IndexLabel =>
  (part, place) => {
    const axis = arrangement[part] ?? -1;
    return formatCount(place * (value.strides[axis] ?? 1) + (axis === 0 && subject.batched ? 1 : 0));
  };

/** What an axis of the picture is called; empty where it has none. */
export function axisName({ arrangement, names }: Scene, part: "row" | "column" | "tile"): string {
  return names[arrangement[part] ?? -1] ?? "";
}

/** The plane on show, of one tile where the arrangement has tiles. */
export function scenePlane(scene: Scene, tile = 0): Plane {
  const { tensor, arrangement } = scene;
  const index = scene.index.slice();
  if (arrangement.tile !== null) index[arrangement.tile] = tile;
  return planeOf(tensor, arrangement.row, arrangement.column, index);
}

/** The colours of the whole scene, worked out once. */
export const commonColoring = weakly((scene: Scene) => coloringFor(scene, scene.tensor.data));

/** For each tile: is it 0 in every example and place? */
export const deadTiles = weakly((scene: Scene): readonly boolean[] =>
  scene.arrangement.tile === null ? [] : allZeroAlong(scene.tensor, scene.arrangement.tile),
);

export function tileValues(scene: Scene, tile: number): ArrayLike<number> {
  return flatten(scenePlane(scene, tile));
}

/** The index along every axis, in the whole tensor, of one cell of one tile. */
export function indexAt(scene: Scene, tile: number, row: number, column: number): number[] {
  const { arrangement } = scene;
  const parts: readonly (readonly [Axis | null, number])[] = [
    [arrangement.tile, tile],
    [arrangement.row, row],
    [arrangement.column, column],
  ];
  const index = scene.index.slice();
  for (const [axis, place] of parts) if (axis !== null) index[axis] = place;
  return index.map((place, axis) => place * scene.value.strides[axis]);
}

export function tileCount(scene: Scene): number {
  return scene.arrangement.tile === null ? 1 : scene.tensor.shape[scene.arrangement.tile];
}

/** What the colours mean, for the head of a card. */
export function coloringWords(scene: Scene, coloring: Coloring): string {
  const reach = {
    steps: "one scale for all steps",
    percentile: "one scale for 99.5 % of all steps",
    step: "scale of this step",
    tile: `each ${axisName(scene, "tile") || "picture"} in its own scale`,
  }[scene.extent];
  return coloring.map === "div" ? `diverging, centred at 0, ${reach}` : reach;
}
