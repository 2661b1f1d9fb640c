/*
 * How the axes of a tensor are laid out on the screen: which axis runs down, which across, which makes tiles, and which are held at an index.
 *
 * The one invariant: every axis has exactly one part. Images, attention maps, heat maps, bars and the table are the same arrangement with
 * more or fewer axes in it, so whatever can be shown one way can be sliced the same way in the others.
 */

import type { GraphNode } from "../types";
import type { Axis } from "./plane";

export type ViewKind = "images" | "attention" | "heat" | "bars" | "table" | "number";

export interface Arrangement {
  readonly tile: Axis | null;
  readonly row: Axis | null;
  readonly column: Axis | null;
}

export interface Presentation {
  readonly kind: ViewKind;
  readonly arrangement: Arrangement;
}

export type NodeFacts = Pick<GraphNode, "kind" | "class" | "activation" | "attributes">;

/** Shape of what is shown, whether axis 0 is the batch, and the facts of its node. */
export interface Subject {
  readonly shape: readonly number[];
  readonly batched: boolean;
  readonly node: NodeFacts;
}

/** [batch, heads, queries, keys]: rows of a softmax, or as many queries as keys; not the classes of pixels, which a convolution gives. */
export function looksLikeAttention({ shape, batched, node }: Subject): boolean {
  if (!batched || shape.length !== 4 || holdsImages(node)) return false;
  if (node.activation === "softmax" || node.class === "Softmax") return true;
  return shape[2] === shape[3] && shape[1] !== shape[2];
}

/** [batch, position, head, unit]: queries, keys and values of an attention before they meet. */
function splitsHeads({ shape, batched, node }: Subject): boolean {
  return batched && shape.length === 4 && node.class === "EinsumDense";
}

function holdsImages(node: NodeFacts): boolean {
  return "data_format" in node.attributes || /conv|pool|padding|resiz|crop|random/i.test(node.class);
}

function channelsFirst(node: NodeFacts): boolean {
  return node.attributes["data_format"] === "channels_first";
}

/** The axes that hold one example: all but the batch. */
function inner({ shape, batched }: Subject): Axis[] {
  return shape.map((_, axis) => axis).slice(batched ? 1 : 0);
}

/** The arrangement a view starts with. */
export function defaultArrangement(subject: Subject, kind: ViewKind): Arrangement {
  const axes = inner(subject);
  const [first = null, second = null, third = null] = axes;
  const last = axes.at(-1) ?? null;
  switch (kind) {
    case "attention":
      return { tile: first, row: second, column: third };
    case "images":
      if (splitsHeads(subject)) return { tile: second, row: first, column: last };
      if (channelsFirst(subject.node)) return { tile: first, row: axes.at(-2) ?? null, column: last };
      return subject.batched
        ? { tile: last, row: axes.at(-3) ?? null, column: axes.at(-2) ?? null }
        : { tile: last, row: first, column: second };
    case "heat":
    case "table":
      // One of the images, enlarged.
      if (axes.length >= 3) return { ...defaultArrangement(subject, kindsOf(subject)[0]), tile: null };
      if (axes.length === 2) return { tile: null, row: axes[0], column: last };
      return { tile: null, row: subject.batched ? 0 : null, column: last };
    case "bars":
      return { tile: null, row: null, column: last ?? (subject.batched ? 0 : null) };
    case "number":
      return { tile: null, row: null, column: null };
  }
}

/** The views that make sense, the best one first. */
export function kindsOf(subject: Subject): ViewKind[] {
  const rank = inner(subject).length;
  if (subject.shape.length === 0) return ["number"];
  if (rank === 0) return ["bars", "table"];
  if (rank === 1) return subject.batched && subject.shape[0] > 1 ? ["heat", "bars", "table"] : ["bars", "table"];
  if (rank === 2) return ["heat", "bars", "table"];
  return looksLikeAttention(subject)
    ? ["attention", "images", "heat", "bars", "table"]
    : ["images", "heat", "bars", "table"];
}

/** The axis that makes tiles where there are any: a tile chosen there is the one that other views begin with. */
export function tileAxis(subject: Subject): Axis | null {
  return defaultArrangement(subject, kindsOf(subject)[0]).tile;
}

/** Axes that are held at an index, in order: neither down, across nor a tile. */
export function slicedAxes(shape: readonly number[], { tile, row, column }: Arrangement): Axis[] {
  return shape.map((_, axis) => axis).filter((axis) => axis !== tile && axis !== row && axis !== column);
}

const PARTS = ["tile", "row", "column"] as const;

/** Has a tensor of so many axes all of these, each in one part, and the same parts as usual? */
export function suits(arrangement: Arrangement, usual: Arrangement, rank: number): boolean {
  const axes = PARTS.map((part) => arrangement[part]);
  const given = axes.filter((axis) => axis !== null);
  return (
    PARTS.every((part, at) => (axes[at] === null) === (usual[part] === null)) &&
    new Set(given).size === given.length &&
    given.every((axis) => axis < rank)
  );
}

/** Gives `part` to `axis`; the axis that had it takes the part that `axis` gives up. */
export function reassign(arrangement: Arrangement, part: keyof Arrangement, axis: Axis): Arrangement {
  const previous = arrangement[part];
  const swapped: { -readonly [P in keyof Arrangement]: Axis | null } = { ...arrangement, [part]: axis };
  for (const other of PARTS) {
    if (other !== part && arrangement[other] === axis) swapped[other] = previous;
  }
  return swapped;
}

/** The last ones are those of few axes. */
const KERNEL_AXES = ["plane", "row", "column", "input", "output"];
const VALUE_AXES = ["plane", "row", "column", "channel"];

/** A word for each axis, as the field calls it: example, row, column, channel, head, query, key, position, input, unit. */
export function axisNames(subject: Subject): string[] {
  const { shape, batched, node } = subject;
  if (!batched) return names(node.kind === "variable" ? KERNEL_AXES : VALUE_AXES, shape.length);
  if (looksLikeAttention(subject)) return ["example", "head", "query", "key"];
  if (splitsHeads(subject)) return ["example", "position", "head", "unit"];
  const rest = names(VALUE_AXES, shape.length - 1);
  return [
    "example",
    ...(channelsFirst(node) && rest.length > 1 ? [rest.at(-1) ?? "channel", ...rest.slice(0, -1)] : rest),
  ];
}

function names(all: readonly string[], rank: number): string[] {
  if (rank === 1) return ["unit"];
  if (rank === 2) return [all === KERNEL_AXES ? "input" : "position", "unit"];
  if (rank > all.length) return Array.from({ length: rank }, (_, axis) => `axis ${axis}`);
  return rank === 3 && all === KERNEL_AXES ? ["place", "input", "output"] : all.slice(all.length - rank);
}
