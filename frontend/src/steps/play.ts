/*
 * Playing the captures like a film. The one invariant: no capture is skipped and none is shown before its numbers are there; when the server
 * is slower than the film, the film is slower.
 */

import { effect, signal, untracked } from "@preact/signals";
import { visible } from "../host";
import { capture, moveCapture, snapshot, steps } from "../state";
import type { Milliseconds } from "../units";

const INTERVAL: Milliseconds = 125;

export const playing = signal(false);

export function togglePlay(): void {
  if (!playing.peek() && atEnd()) moveCapture(-Infinity);
  playing.value = !playing.peek();
}

function atEnd(): boolean {
  const count = steps.peek().data?.step.length ?? 0;
  return capture.peek() >= count - 1;
}

effect(() => {
  if (!playing.value || !visible.value || snapshot.value.pending) return;
  if (untracked(atEnd)) {
    playing.value = false;
    return;
  }
  // Reading the capture makes the next turn follow this one.
  void capture.value;
  const timer = setTimeout(() => moveCapture(1), INTERVAL);
  return () => clearTimeout(timer);
});
