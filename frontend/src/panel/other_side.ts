/*
 * What the value on show is set against: an earlier capture, or what is compared.
 * The one invariant: a value is never set against itself; where there is nothing to set it against, words say why.
 */

import { comparedStep, compareRun, nearestCapture, run } from "../state";
import type { Quantity } from "../types";
import type { Step } from "../units";
import { type ValueKey, valueKey } from "./data";
import { minus } from "./state";

interface OtherSide {
  /** Null for none, or while it isn't known. */
  readonly key: ValueKey | null;
  /** Why there is none; empty where there is one, or where none is wanted. */
  readonly reason: string;
}

const SAME = "The step that is compared is the one on show.";
const NOTHING: OtherSide = { key: null, reason: "" };

/** `steps` are those of the value's node; null before they are known. */
export function otherSide(node: string, quantity: Quantity, step: Step, steps: Float64Array | null): OtherSide {
  const chosen = minus.value;
  if (chosen === "nothing" || steps === null) return NOTHING;
  const found = (name: string | null, at: Step): OtherSide => ({ ...NOTHING, key: valueKey(name, node, at, quantity) });
  if (chosen === "previous" || chosen === "first") {
    const before = nearestCapture(steps, step) - 1;
    return before < 0
      ? { ...NOTHING, reason: "This is the first capture." }
      : found(run.value, steps[chosen === "first" ? 0 : before]);
  }
  const [other, at] = [compareRun.value, comparedStep.value];
  if (at !== null && (other !== null || at !== step)) return found(other ?? run.value, at);
  if (other !== null) return NOTHING;
  return { ...NOTHING, reason: at === null ? "Nothing is compared: choose a run or step at the top." : SAME };
}
