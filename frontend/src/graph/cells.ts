/**
 * What stands in the cell of each node at the chosen step: a colour and a number, or why there is neither.
 *
 * The one invariant: a cell is worked out only when it is painted. A new step costs as much as there are boxes on the screen, not as the model has nodes.
 */

import { colorIndex, COLORS, type Colormap } from "../colormap";
import { formatNumber, MINUS, MISSING } from "../format";
import type { Coloring } from "../colormap";
import {
  COUNTS,
  ELEMENTS,
  NAN_COUNT,
  NEG_INF_COUNT,
  POS_INF_COUNT,
  SEVERITIES,
  type Finding,
  type Severity,
  type Snapshot,
} from "../types";
import type { NodeIndex, Step } from "../units";
import { itemOfNode, type Scene } from "./scene";

/** `color`: a number with its colour. `scalar`: a value where a spread is asked for. `nonfinite`: some element is NaN or Inf. `nothing`: not recorded. */
export interface Cell {
  readonly kind: "color" | "scalar" | "nonfinite" | "nothing";
  readonly text: string;
  /** 0…255 in the colour map; −1 without a colour. */
  readonly place: number;
}

export type CellOf = (node: NodeIndex) => Cell;

const NOTHING: Cell = { kind: "nothing", text: MISSING, place: -1 };

/** A number in at most seven characters. */
export function cellText(statistic: string, value: number): string {
  if (statistic.endsWith("_fraction")) return value > 0 && value < 0.005 ? "<1%" : `${Math.round(100 * value)}%`;
  return formatNumber(value, Math.abs(value) < 100 ? 2 : 3);
}

export interface CellSource {
  readonly statistic: string;
  /** float64[nodes]: the statistic at the chosen step (or its difference to what is compared, of a scalar that of its value); NaN where there is none. */
  readonly values: ArrayLike<number>;
  readonly snapshot: Snapshot;
  readonly shading: Coloring;
  /** The value of a node that has no number of this statistic but one; null for all others. */
  readonly scalar: (node: NodeIndex) => number | null;
  /** `values` are differences: they carry a sign, and what is no number shows nothing. */
  readonly compared: boolean;
}

/** The cells of one snapshot. */
export function makeCells({ statistic, values, snapshot, shading, scalar, compared }: CellSource): CellOf {
  return (node) => {
    const at = node * COUNTS;
    const { counts } = snapshot;
    if (node >= snapshot.nodes || !(counts[at + ELEMENTS] >= 0)) return NOTHING;
    if (!compared && counts[at + NAN_COUNT] > 0) return { kind: "nonfinite", text: "NaN", place: -1 };
    if (!compared && counts[at + POS_INF_COUNT] + counts[at + NEG_INF_COUNT] > 0)
      return { kind: "nonfinite", text: counts[at + POS_INF_COUNT] > 0 ? "+Inf" : `${MINUS}Inf`, place: -1 };
    const only = scalar(node);
    const value = compared ? values[node] : (only ?? values[node]);
    if (Number.isNaN(value)) return NOTHING;
    const sign = compared && value > 0 ? "+" : "";
    if (only !== null) return { kind: "scalar", text: sign + cellText("mean", value), place: -1 };
    return { kind: "color", text: sign + cellText(statistic, value), place: colorIndex(shading.scale, value) };
  };
}

/** The small cells of a closed scope: one per node, or per group of neighbours when there are too many. A group shows its most extreme member. */
export function miniCells(nodes: readonly NodeIndex[], cellOf: CellOf, most: number): Cell[] {
  const size = Math.ceil(nodes.length / most);
  const groups: Cell[] = [];
  for (let start = 0; start < nodes.length; start += size) {
    groups.push(
      nodes
        .slice(start, start + size)
        .map(cellOf)
        .reduce(moreExtreme),
    );
  }
  return groups;
}

const distance = (cell: Cell): number =>
  cell.kind === "nonfinite" ? COLORS : cell.place < 0 ? -1 : Math.abs(cell.place - (COLORS - 1) / 2);

const moreExtreme = (a: Cell, b: Cell): Cell => (distance(b) > distance(a) ? b : a);

export const fillOf = (cell: Cell, map: Colormap): string => map.css[cell.place];

/** The mark at the corner of a box. */
export interface Mark {
  readonly severity: Severity;
  /** It holds at the chosen step; otherwise it does at another one. */
  readonly now: boolean;
}

const holdsAt = (finding: Finding, step: Step | null): boolean =>
  step !== null && finding.first_step <= step && step <= (finding.last_step ?? Infinity);

const weight = ({ severity, now }: Mark): number => (now ? SEVERITIES.length : 0) - SEVERITIES.indexOf(severity);

/** The weightiest finding of everything that each item shows: what holds now before what doesn't, then the more severe. */
export function marksOf(
  scene: Scene,
  indexByName: ReadonlyMap<string, NodeIndex>,
  findings: readonly Finding[],
  step: Step | null,
): Map<number, Mark> {
  const marks = new Map<number, Mark>();
  for (const finding of findings) {
    const item = itemOfNode(scene, indexByName.get(finding.node) ?? -1);
    if (item < 0) continue;
    const mark = { severity: finding.severity, now: holdsAt(finding, step) };
    const before = marks.get(item);
    if (before === undefined || weight(mark) > weight(before)) marks.set(item, mark);
  }
  return marks;
}
