/*
 * What pointer and keys do on a picture over steps: hover shows the crosshair in all of them, a click chooses, a drag zooms, Shift and drag
 * scrub, a double click resets.
 *
 * The one invariant: every step chosen here is a recorded one; there is nothing to see between captures.
 */

import { nearestCapture, selectStep, step } from "../state";
import type { CssPixels, Step } from "../units";
import { placeOf, type PointerHandlers } from "./picture";
import { type Plot, stepAt } from "./plot";
import { brush, hoverStep, shown, whole, zoom } from "./shared";
import { type StepRange, zoomed } from "./timeline";

/** Movement below this is a click with an unsteady hand. */
const CLICK_DISTANCE: CssPixels = 4;
const ZOOM_FACTOR = 2;

/** What is under the pointer. */
export interface StepPlace {
  readonly x: CssPixels;
  readonly at: Step;
}

/** What is held down, or was last. Outlives the render in which a drag began. */
let press = { x: 0, from: 0, scrub: false, held: false, moved: false };
/** The step before the last click. */
let before: Step | null = null;

export const STEP_KEYS = "Plus and minus zoom, 0 shows all steps.";

/** `hover` hears of the place under the pointer, null where there is none or a drag goes on, `choose` of the one that is clicked. */
export function stepPointer<P extends StepPlace>(
  placeAt: (event: MouseEvent) => P,
  hover: (place: P | null) => void,
  choose: (place: P) => void,
): PointerHandlers {
  const end = (): void => {
    press.held = false;
    brush.value = null;
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      // As on the graph: the mouse doesn't move the focus, so that arrow keys go on meaning steps.
      event.preventDefault();
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      const { x, at } = placeAt(event);
      press = { x, from: at, scrub: event.shiftKey, held: true, moved: false };
    },
    onPointerMove: (event) => {
      const place = placeAt(event);
      const { x, from, scrub, held } = press;
      press.moved ||= held && Math.abs(place.x - x) >= CLICK_DISTANCE;
      const dragged = held && press.moved;
      hover(dragged ? null : place);
      if (dragged && scrub) selectStep(place.at);
      else if (dragged) brush.value = { first: Math.min(from, place.at), last: Math.max(from, place.at) };
    },
    onPointerUp: (event) => {
      if (brush.peek() !== null) zoom.value = zoomed(whole.peek(), press.from, placeAt(event).at) ?? null;
      end();
    },
    onPointerLeave: () => hover(null),
    onPointerCancel: () => {
      end();
      hover(null);
    },
    onClick: (event) => {
      if (press.moved || event.detail > 1) return;
      before = step.peek();
      choose(placeAt(event));
    },
    onDblClick: () => {
      zoom.value = null;
      // The double click's own click was no wish for another step.
      if (before !== null) selectStep(before);
    },
    onKeyDown: (event) => {
      if (zoomKey(event.key)) event.preventDefault();
    },
  };
}

/** Of a chart, whose plots share the axis of steps. */
export function chartPointer(
  plots: { readonly current: readonly Pick<Plot, "box" | "x">[] },
  steps: Float64Array,
): PointerHandlers {
  const placeAt = (event: MouseEvent): StepPlace => {
    const { x } = placeOf(event);
    const [plot] = plots.current;
    return { x, at: plot === undefined ? NaN : stepAt(plot, x) };
  };
  return stepPointer(
    placeAt,
    (place) => (hoverStep.value = place === null ? null : (steps[nearestCapture(steps, place.at)] ?? null)),
    ({ at }) => selectStep(at),
  );
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
