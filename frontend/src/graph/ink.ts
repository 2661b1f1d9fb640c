/** The colours of the graph beyond those of every chart, read from the tokens of the theme that is on. */

import { weakly } from "../charts/weakly";
import type { Palette } from "../draw/palette";
import type { Severity, State } from "../types";

export interface Ink extends Palette {
  readonly selected: string;
  readonly focus: string;
  readonly state: Readonly<Record<State, string>>;
  /** Behind text in the colour of a severity. */
  readonly severityPaper: Readonly<Record<Severity, string>>;
}

export const withGraphInk = weakly((palette: Palette): Ink => {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ...palette,
    selected: token("selected"),
    focus: token("focus"),
    state: { materialized: token("st-mat"), available: token("st-avail"), unreachable: token("st-unreach") },
    severityPaper: { error: token("sev-error-bg"), warning: token("sev-warning-bg"), note: token("sev-note-bg") },
  };
});
