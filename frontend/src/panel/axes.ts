/*
 * How the user laid out the axes of the chosen node, and at which index the other axes are held. The one invariant: both belong to one node, for
 * another has other axes; its value, gradient and update share them, so that pictures beside each other show the same place.
 */

import { effect, signal } from "@preact/signals";
import type { LinkCodec } from "../host";
import { node } from "../state";
import type { Arrangement, ViewKind } from "../tensor/arrangement";

/** By the view that the user arranged. */
export type Arrangements = Partial<Readonly<Record<ViewKind, Arrangement>>>;

export const arrangements = signal<Arrangements>({});
/** One index per axis; those that make a picture are passed over. */
export const held = signal<readonly number[]>([]);

effect(() => {
  void node.value;
  arrangements.value = {};
  held.value = [];
});

export function arrange(kind: ViewKind, arrangement: Arrangement): void {
  arrangements.value = { ...arrangements.peek(), [kind]: arrangement };
}

const axisOf = (text: string): number | null => (text === "" ? null : Number(text));

/** Tile, row and column of each view, `heat:.1.2,images:3.1.2`; whether a tensor has such axes is seen when it is drawn. */
export const arrangementsLink: LinkCodec<Arrangements> = {
  encode: (all) =>
    Object.entries(all)
      .map(([kind, { tile, row, column }]) => `${kind}:${tile ?? ""}.${row ?? ""}.${column ?? ""}`)
      .join() || null,
  decode: (text) =>
    Object.fromEntries(
      [...(text ?? "").matchAll(/(\w+):(\d*)\.(\d*)\.(\d*)/g)].map(([, kind, tile, row, column]) => [
        kind,
        { tile: axisOf(tile), row: axisOf(row), column: axisOf(column) },
      ]),
    ),
};

export const heldLink: LinkCodec<readonly number[]> = {
  encode: (index) => (index.some((place) => place > 0) ? index.join(".") : null),
  decode: (text) => (/^\d+(\.\d+)*$/.test(text ?? "") ? (text ?? "").split(".").map(Number) : []),
};
