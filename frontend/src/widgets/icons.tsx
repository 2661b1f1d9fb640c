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

const OCTAGON = "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3L1.5 10.7V5.3z";
const TRIANGLE = "M8 1.8 15 14H1z";

/** Octagon, triangle, circle, each with a mark inside. */
export function SeverityIcon({
  severity,
  size = 14,
}: {
  readonly severity: Severity;
  readonly size?: CssPixels;
}): JSX.Element {
  return (
    <svg class={`sev-${severity}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {severity === "error" && <path d={OCTAGON} fill="currentColor" />}
      {severity === "warning" && (
        <path
          d={TRIANGLE}
          style={{ fill: "var(--sev-warning-fill)" }}
          stroke="currentColor"
          stroke-width="1.3"
          stroke-linejoin="round"
        />
      )}
      {severity === "note" && <circle cx="8" cy="8" r="6.5" fill="currentColor" />}
      <path
        d={
          severity === "note"
            ? "M8 7.3v4.2M8 4.5v.200"
            : severity === "warning"
              ? "M8 6.3v3.7M8 12v.100"
              : "M8 4.3v4.4M8 11.3v.200"
        }
        style={{ stroke: severity === "warning" ? "#3a2700" : "var(--surface)" }}
        stroke-width="1.8"
        stroke-linecap="round"
      />
    </svg>
  );
}
