/**
 * What stands in each box, and how large that makes it.
 *
 * The one invariant: nothing here depends on the step, the statistic or the colours, so that scrubbing never moves a box.
 */

import { formatExtents, visibleName } from "../format";
import { primaryReason } from "../statistics";
import type { GraphNode, State } from "../types";
import type { CssPixels } from "../units";
import { SMALLEST_FIT } from "./camera";
import type { Direction, LayoutRequest } from "./layout/nested";
import { countBelow, nodesBelow, type ScopeTree } from "./scopes";
import type { VisibleGraph } from "./visible";

export interface BoxText {
  readonly title: string;
  /** Second line: the extents, or why there are none. Empty for a scope that is no node. */
  readonly detail: string;
  /** Nodes inside a scope; 0 for a node without children. */
  readonly inside: number;
  /** Node of this path; −1 without. */
  readonly node: number;
  /** State of that node; null for a scope that is none. */
  readonly state: State | null;
  /** Nodes whose colours a closed scope shows as small cells. */
  readonly cells: readonly number[];
}

export interface Measured {
  readonly texts: readonly BoxText[];
  readonly width: Float32Array;
  readonly height: Float32Array;
}

/** Width of `text` at a font size, bold or not. */
export type Measure = (text: string, size: CssPixels, bold?: boolean) => CssPixels;

export const TITLE_SIZE: CssPixels = 12;
export const DETAIL_SIZE: CssPixels = 11;
/** Text of 11 px on the screen where the page is fitted as small as it may be; nothing is shortened then. */
const SMALLEST_WRITTEN: CssPixels = 11 / SMALLEST_FIT;
export const BOX_HEIGHT: CssPixels = 38;
/** Where the number stands: room for `−1.23e−15`, as differences need. */
export const CELL_WIDTH: CssPixels = 54;
export const CHEVRON_WIDTH: CssPixels = 18;
export const MINI_CELL: CssPixels = 9;
export const MOST_MINI_CELLS = 14;
const GLYPH_WIDTH: CssPixels = 21;
const WIDEST_TEXT: CssPixels = 230;

/** Where the text begins, from the left border of the box. */
export function textStart(text: BoxText): CssPixels {
  const lead = text.state === "materialized" ? CELL_WIDTH : text.state === null ? 0 : GLYPH_WIDTH;
  return lead + 8 + (text.inside > 0 ? CHEVRON_WIDTH : 0);
}

function detailOf(node: GraphNode): string {
  if (node.state !== "materialized") return primaryReason(node)?.title ?? node.state;
  return formatExtents(node.shape, node.shape?.[0] === null);
}

/** Shortens `text` to a width, with an ellipsis. Cuts between code points, not within an emoji's halves. */
export function shorten(text: string, room: CssPixels, size: CssPixels, measure: Measure): string {
  if (measure(text, size) <= room) return text;
  const points = [...text];
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(`${points.slice(0, middle).join("")}…`, size) <= room) low = middle;
    else high = middle - 1;
  }
  return `${points.slice(0, low).join("")}…`;
}

/** Texts and sizes of all items; the size of an open scope is the least that its title needs. */
export function measureItems(
  tree: ScopeTree,
  nodes: readonly GraphNode[],
  visible: VisibleGraph,
  measure: Measure,
): Measured {
  const below = countBelow(tree);
  const width = new Float32Array(visible.items.length);
  const height = new Float32Array(visible.items.length);
  const texts = visible.items.map((item, index): BoxText => {
    const entry = tree.entries[item.entry];
    const node = nodes[entry.node] as GraphNode | undefined;
    const closed = entry.children.length > 0 && !item.open;
    const text: BoxText = {
      title: shorten(visibleName(entry.label), WIDEST_TEXT, TITLE_SIZE, measure),
      detail: node === undefined ? "" : shorten(detailOf(node), WIDEST_TEXT, DETAIL_SIZE, measure),
      inside: entry.children.length > 0 ? below[item.entry] : 0,
      node: entry.node,
      state: node?.state ?? null,
      cells: closed
        ? nodesBelow(tree, item.entry).filter((below) => below !== entry.node && nodes[below].state === "materialized")
        : [],
    };
    width[index] = item.open ? headerWidth(text, measure) : boxWidth(text, measure);
    height[index] = BOX_HEIGHT;
    return text;
  });
  return { texts, width, height };
}

function boxWidth(text: BoxText, measure: Measure): CssPixels {
  const count = text.inside > 0 ? 6 + measure(String(text.inside), DETAIL_SIZE) : 0;
  const title = measure(text.title, SMALLEST_WRITTEN) + count;
  const detail =
    text.inside > 0 ? Math.min(text.cells.length, MOST_MINI_CELLS) * MINI_CELL : measure(text.detail, SMALLEST_WRITTEN);
  return Math.ceil(Math.max(text.inside > 0 ? 60 : 0, title, detail) + textStart(text) + 10);
}

function headerWidth(text: BoxText, measure: Measure): CssPixels {
  return Math.ceil(measure(text.title, TITLE_SIZE, true) + CHEVRON_WIDTH + 18 + (text.node >= 0 ? CELL_WIDTH + 8 : 0));
}

/** The request for the layout worker. */
export function layoutRequest(
  visible: VisibleGraph,
  { width, height }: Measured,
  direction: Direction,
  room = 0,
): LayoutRequest {
  return {
    direction,
    room,
    parent: Int32Array.from(visible.items, (item) => item.parent),
    open: Uint8Array.from(visible.items, (item) => Number(item.open)),
    width: width.map((value, item) => (item === 0 ? 0 : value)),
    height,
    ports: visible.ports,
    edges: Int32Array.from(visible.edges.flatMap((edge) => [edge.from, edge.to])),
  };
}
