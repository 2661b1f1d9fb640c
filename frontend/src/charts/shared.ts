/*
 * What all charts over steps have in common at any moment: the zoomed range, the step under the pointer, the range being dragged.
 * The one invariant: they are shared, so that the same place means the same step in every chart.
 */

import { computed, effect, signal } from "@preact/signals";
import { linkSignal } from "../host";
import { steps } from "../state";
import type { Step } from "../units";
import { columnEdges, gapsOf, paddedRange, type StepRange, wholeRange } from "./timeline";

/** Null: all steps. */
export const zoom = signal<StepRange | null>(null);
export const hoverStep = signal<Step | null>(null);
export const brush = signal<StepRange | null>(null);

const NOTHING = new Float64Array();

/** The axis of the chosen run, from 0 to its last capture. */
export const whole = computed(() => wholeRange(steps.value.data?.step ?? NOTHING));

export const gaps = computed(() => gapsOf(steps.value.data?.step ?? NOTHING, steps.value.data?.dropped ?? NOTHING));

/** The part of it that is shown; all of it has room for the columns of the outermost captures. */
export const shown = computed(() => {
  const step = steps.value.data?.step ?? NOTHING;
  return zoom.value ?? paddedRange(whole.value, columnEdges({ start: step, stop: step }, gaps.value));
});

// Another run may end before the range begins.
effect(() => {
  if (steps.value.data !== null && (zoom.value?.first ?? 0) >= whole.value.last) zoom.value = null;
});

linkSignal("zoom", zoom, {
  encode: (range) => (range === null ? null : `${Math.round(range.first)}-${Math.round(range.last)}`),
  decode: (text) => {
    const found = /^(\d{1,16})-(\d{1,16})$/.exec(text ?? "");
    const [first, last] = [Number(found?.[1]), Number(found?.[2])];
    return first < last ? { first, last } : null;
  },
});
