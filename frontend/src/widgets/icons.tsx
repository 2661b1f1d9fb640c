/*
 * Icons and glyphs as shapes: fonts of different systems draw ● ○ ◌ differently. The one invariant: an icon is decoration
 * (`aria-hidden`); whoever uses one writes the word beside it or in a label.
 */

import "./icons.css";
import type { JSX } from "preact";
import type { Severity, State } from "../types";
import type { CssPixels } from "../units";

export type IconName =
  | "back"
  | "forward"
  | "first"
  | "last"
  | "play"
  | "pause"
  | "open"
  | "closed"
  | "search"
  | "link"
  | "download"
  | "enlarge"
  | "shrink"
  | "plus"
  | "minus"
  | "fit"
  | "close"
  | "columns"
  | "up"
  | "down";

/** The shapes stand in the style sheet. */
export function Icon({ name, small = false }: { readonly name: IconName; readonly small?: boolean }): JSX.Element {
  return <i class={`icon icon-${name} ${small ? "small" : ""}`} aria-hidden="true" />;
}

/** Disc, ring, dashed ring. */
export function StateGlyph({ state, large = false }: { readonly state: State; readonly large?: boolean }): JSX.Element {
  return <i class={`glyph ${state} ${large ? "large" : ""}`} aria-hidden="true" />;
}

/** Octagon, triangle, circle, each with a mark inside. */
export function SeverityIcon({
  severity,
  size = 14,
}: {
  readonly severity: Severity;
  readonly size?: CssPixels;
}): JSX.Element {
  return <i class={`sign sev-${severity}`} style={{ width: `${size}px` }} aria-hidden="true" />;
}
