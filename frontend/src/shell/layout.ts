/*
 * Sizes that the user chose: the width of the list, and per tab the share of the upper view. The one invariant: a remembered size is a wish;
 * what is laid out always leaves both neighbours usable.
 */

import { batch, computed, signal } from "@preact/signals";
import { recall, remember } from "../keys";
import { setView, view } from "../state";
import type { View } from "../state";
import type { CssPixels } from "../units";

/** Narrower than this, the list becomes a tab. */
export const NARROW: CssPixels = 900;
export const SPLITTER: CssPixels = 5;
export const LEAST_LIST: CssPixels = 300;
export const LEAST_UPPER: CssPixels = 120;
/** Title and statistic strip of the panel stay on screen. */
export const LEAST_LOWER: CssPixels = 84;

const STORED = "tb_activations.layout";

interface Sizes {
  readonly list: CssPixels;
  /** Height of the upper view, as a share of what there is. */
  readonly upper: Readonly<Record<View, number>>;
}

/** Matrix and findings leave no more than title and numbers to the panel, unless there is room for it all. */
const TABLE = window.innerHeight < 1200 ? 1 : 0.6;
const INITIAL: Sizes = { list: 432, upper: { graph: 0.345, matrix: TABLE, findings: TABLE } };

function stored(): Sizes {
  try {
    const known = JSON.parse(recall(STORED) ?? "{}") as Partial<Sizes>;
    return { list: Number(known.list ?? INITIAL.list), upper: { ...INITIAL.upper, ...known.upper } };
  } catch {
    return INITIAL;
  }
}

const sizes = signal(stored());

/** The panel over the whole right side. */
export const enlarged = signal(false);

/** In a narrow page: is the list shown, rather than the chosen view? */
export const nodesShown = signal(true);

/** Brings a view on screen, whatever is in its place. */
export function showView(chosen: View): void {
  batch(() => {
    enlarged.value = nodesShown.value = false;
    setView(chosen);
  });
}

export function toggleEnlarged(): void {
  enlarged.value = !enlarged.peek();
}

function keep(next: Sizes): void {
  sizes.value = next;
  remember(STORED, JSON.stringify(next));
}

export function setListWidth(width: CssPixels): void {
  keep({ ...sizes.peek(), list: width });
}

export function setUpperShare(share: number): void {
  keep({ ...sizes.peek(), upper: { ...sizes.peek().upper, [view.peek()]: share } });
}

export const listWidth = computed(() => sizes.value.list);
export const upperShare = computed(() => sizes.value.upper[view.value]);

/** `wanted` between `least` and `most`; where there is no room for both, `least` gives way. */
export function fit(wanted: CssPixels, least: CssPixels, most: CssPixels): CssPixels {
  return Math.max(Math.min(wanted, most), Math.min(least, most));
}
