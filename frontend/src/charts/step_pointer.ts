/*
 * What pointer and keys do on a chart over steps: hover shows the crosshair in all charts, a click sets the step, a drag zooms, Shift and drag
 * scrub, a double click resets.
 *
 * The one invariant: every place snaps to a recorded step; there is nothing to see between captures.
 */

import { useRef } from "preact/hooks";
import { nearestCapture, selectStep, step } from "../state";
import type { CssPixels, Step } from "../units";
import { type Plot, stepAt } from "./plot";
import { placeOf, type PointerHandlers } from "./picture";
import { brush, hoverStep, shown, whole, zoom } from "./shared";
import { type StepRange, zoomed } from "./timeline";

/** Movement below this is a click with an unsteady hand. */
const CLICK_DISTANCE: CssPixels = 4;
const ZOOM_FACTOR = 2;

interface Press {
  readonly x: CssPixels;
  readonly from: Step;
  readonly scrub: boolean;
  moved: boolean;
}

export interface StepCanvas {
  /** The chart's plots, which share the axis of steps. */
  readonly plots: { readonly current: readonly Pick<Plot, "box" | "x">[] };
  readonly steps: Float64Array;
}

export const STEP_KEYS = "Plus and minus zoom, 0 shows all steps.";

export function useStepPointer({ plots, steps }: StepCanvas): PointerHandlers {
  const press = useRef<Press | null>(null);
  const before = useRef<Step | null>(null);
  const stepUnder = (event: PointerEvent): { x: CssPixels; at: Step; snapped: Step | null } => {
    const { x } = placeOf(event);
    const [plot] = plots.current;
    const at = plot === undefined ? NaN : stepAt(plot, x);
    return { x, at, snapped: steps.length === 0 || Number.isNaN(at) ? null : steps[nearestCapture(steps, at)] };
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      const { x, at } = stepUnder(event);
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      press.current = { x, from: at, scrub: event.shiftKey, moved: false };
    },
    onPointerMove: (event) => {
      const { x, at, snapped } = stepUnder(event);
      hoverStep.value = snapped;
      const held = press.current;
      if (held === null) return;
      held.moved ||= Math.abs(x - held.x) >= CLICK_DISTANCE;
      if (!held.moved) return;
      if (held.scrub && snapped !== null) selectStep(snapped);
      else brush.value = { first: Math.min(held.from, at), last: Math.max(held.from, at) };
    },
    onPointerUp: (event) => {
      const { at, snapped } = stepUnder(event);
      const held = press.current;
      press.current = null;
      brush.value = null;
      if (held === null) return;
      if (held.moved && !held.scrub) zoom.value = zoomed(whole.peek(), held.from, at) ?? null;
      else if (!held.moved && snapped !== null) {
        if (event.detail < 2) before.current = step.peek();
        selectStep(snapped);
      }
    },
    onPointerLeave: () => {
      if (press.current === null) hoverStep.value = null;
    },
    onPointerCancel: () => {
      press.current = null;
      brush.value = null;
      hoverStep.value = null;
    },
    onDblClick: () => {
      zoom.value = null;
      // The double click's own clicks were no wish for another step.
      if (before.current !== null) selectStep(before.current);
    },
    onKeyDown: (event) => {
      if (zoomKey(event.key)) event.preventDefault();
    },
  };
}

/** Plus and minus zoom around the current step, 0 shows all; false for any other key. */
export function zoomKey(key: string): boolean {
  const range = shown.peek();
  const middle = Math.min(range.last, Math.max(range.first, step.peek() ?? range.first));
  if (key === "+" || key === "=") zoom.value = scaled(range, middle, 1 / ZOOM_FACTOR);
  else if (key === "-") zoom.value = scaled(range, middle, ZOOM_FACTOR);
  else if (key === "0") zoom.value = null;
  else return false;
  return true;
}

function scaled(range: StepRange, middle: Step, factor: number): StepRange | null {
  return (
    zoomed(whole.peek(), middle + (range.first - middle) * factor, middle + (range.last - middle) * factor) ?? null
  );
}
