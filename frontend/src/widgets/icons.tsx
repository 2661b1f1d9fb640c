/*
 * Icons and glyphs as shapes: fonts of different systems draw ● ○ ◌ differently. The one invariant: an icon is decoration
 * (`aria-hidden`) where the word stands beside it, and a picture with a name where it stands for the word.
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

/** Disc, ring, dashed ring. To name it costs less than a hidden word beside it, which the browser cuts to nothing in a layer of its own. */
export function StateGlyph({
  state,
  large = false,
  name,
}: {
  readonly state: State;
  readonly large?: boolean;
  readonly name?: string;
}): JSX.Element {
  return <i class={`glyph ${state} ${large ? "large" : ""}`} role="img" aria-hidden={!name} aria-label={name} />;
}

/** Octagon, triangle, circle, each with a mark inside. */
export function SeverityIcon({
  severity,
  size = 14,
  name,
}: {
  readonly severity: Severity;
  readonly size?: CssPixels;
  readonly name?: string;
}): JSX.Element {
  return (
    <i class={`sign sev-${severity}`} style={{ width: `${size}px` }} role="img" aria-hidden={!name} aria-label={name} />
  );
}
