/*
 * The colours of the theme that is on, read from the design tokens.
 *
 * The one invariant: no colour is written anywhere else in what draws; a canvas can't use CSS variables itself, so it reads them here, anew
 * after a change of theme.
 */

import type { Quantity, Severity } from "../types";
import type { Hatch } from "./pen";

export interface Palette {
  readonly font: string;
  readonly surface: string;
  readonly raised: string;
  readonly ink: string;
  readonly ink2: string;
  readonly ink3: string;
  readonly grid: string;
  readonly line: string;
  readonly control: string;
  readonly tile: string;
  readonly none: string;
  readonly here: string;
  readonly hereLine: string;
  readonly hereInk: string;
  readonly compare: string;
  readonly nan: string;
  readonly nanPaper: string;
  readonly inf: string;
  readonly infArrow: string;
  readonly quantity: Readonly<Record<Quantity, string>>;
  readonly severity: Readonly<Record<Severity, string>>;
  readonly warningFill: string;
  readonly outerBand: number;
  readonly innerBand: number;
  readonly nanHatch: Hatch;
  readonly gapHatch: Hatch;
}

/** Reads the palette with `token`, which gives the value of a custom property by its name without the dashes. */
export function makePalette(token: (name: string) => string): Palette {
  return {
    font: token("font"),
    surface: token("surface"),
    raised: token("raised"),
    ink: token("ink"),
    ink2: token("ink-2"),
    ink3: token("ink-3"),
    grid: token("grid"),
    line: token("line"),
    control: token("line-ctl"),
    tile: token("tile"),
    none: token("none"),
    here: token("here"),
    hereLine: token("here-line"),
    hereInk: token("here-ink"),
    compare: token("compare"),
    nan: token("nan"),
    nanPaper: token("nan-2"),
    inf: token("inf"),
    infArrow: token("inf-2"),
    quantity: { value: token("q-value"), gradient: token("q-gradient"), update: token("q-update") },
    severity: { error: token("sev-error"), warning: token("sev-warning"), note: token("sev-note") },
    warningFill: token("sev-warning-fill"),
    outerBand: Number(token("band-1")),
    innerBand: Number(token("band-2")),
    nanHatch: { color: token("nan"), background: token("nan-2"), gap: 3, width: 1.6 },
    gapHatch: { color: token("line-ctl"), gap: 4, width: 0.7 },
  };
}

/** By the class of the page's root, which says what theme is on. */
const palettes: Record<string, Palette> = {};

/** The palette of the theme that is on; read once, for every frame that paints asks for it. */
export function readPalette(): Palette {
  const root = document.documentElement;
  return (palettes[root.className] ??= makePalette((name) =>
    getComputedStyle(root).getPropertyValue(`--${name}`).trim(),
  ));
}
