/*
 * Icons and glyphs as SVG shapes: fonts of different systems draw ● ○ ◌ differently. The one invariant: an icon is decoration
 * (`aria-hidden`); whoever uses one writes the word beside it or in a label.
 */

import type { JSX } from "preact";
import type { Severity, State } from "../types";
import type { CssPixels } from "../units";

/** Paths in a box of 16 × 16, drawn as strokes. */
const PATHS = {
  back: "M10 3.5 5.5 8l4.5 4.5",
  forward: "M6 3.5 10.5 8 6 12.5",
  first: "M12 3.5 7.5 8l4.5 4.5M4.5 3.5v9",
  last: "M4 3.5 8.5 8 4 12.5M11.5 3.5v9",
  play: "M5 3.5v9l7.5-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  open: "M3.5 6 8 10.5 12.5 6",
  closed: "M6 3.5 10.5 8 6 12.5",
  search: "M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM10.3 10.3l3.7 3.7",
  link: "M6.5 9.5l3-3M7.2 4.7 8.7 3.2a2.9 2.9 0 0 1 4.1 4.1L11.3 8.8M8.8 11.3 7.3 12.8a2.9 2.9 0 0 1-4.1-4.1L4.7 7.2",
  download: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  enlarge: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.2 2.8 9.5 6.5M2.8 13.2 6.5 9.5",
  shrink: "M13 6.5H9.5V3M3 9.5h3.5V13M9.7 6.3 13.5 2.5M6.3 9.7 2.5 13.5",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  close: "M4 4l8 8M12 4l-8 8",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  sort: "M5 3v10M2.5 10.5 5 13l2.5-2.5M11 13V3M8.5 5.5 11 3l2.5 2.5",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 14 }: { readonly name: IconName; readonly size?: CssPixels }): JSX.Element {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill={name === "play" ? "currentColor" : "none"}
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Disc, ring, dashed ring. */
export function StateGlyph({ state, size = 12 }: { readonly state: State; readonly size?: CssPixels }): JSX.Element {
  const full = state === "materialized";
  return (
    <svg class={`st-${state}`} width={size} height={size} viewBox="0 0 12 12" aria-hidden="true">
      <circle
        cx="6"
        cy="6"
        r={full ? 3.9 : 3.5}
        fill={full ? "currentColor" : "none"}
        stroke={full ? "none" : "currentColor"}
        stroke-width="1.5"
        stroke-dasharray={state === "unreachable" ? "1.57 2.09" : undefined}
      />
    </svg>
  );
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
