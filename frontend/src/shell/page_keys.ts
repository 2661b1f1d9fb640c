/*
 * The keys of the whole page. The one invariant: each does what a visible control does too.
 */

import { addShortcuts } from "../keys";
import { node, setLive, setQuantity, moveCapture } from "../state";
import { nextFinding } from "../steps/jumps";
import { togglePlay } from "../steps/play";
import { openHelp } from "./help";
import { showView, toggleEnlarged } from "./layout";

export function addPageKeys(): void {
  addShortcuts([
    { keys: ["ArrowLeft"], does: "Previous capture", run: () => moveCapture(-1) },
    { keys: ["ArrowRight"], does: "Next capture", run: () => moveCapture(1) },
    { keys: ["Shift+ArrowLeft"], does: "Ten captures back", run: () => moveCapture(-10) },
    { keys: ["Shift+ArrowRight"], does: "Ten captures on", run: () => moveCapture(10) },
    { keys: ["Home"], does: "First capture", run: () => moveCapture(-Infinity) },
    { keys: ["End"], does: "Last capture, and follow new ones", run: () => setLive(true) },
    { keys: [" "], does: "Play or pause", run: togglePlay },
    { keys: ["n"], does: "Next finding", run: () => nextFinding(1) },
    { keys: ["p"], does: "Previous finding", run: () => nextFinding(-1) },
    { keys: ["1"], does: "Graph", run: () => showView("graph") },
    { keys: ["2"], does: "Matrix", run: () => showView("matrix") },
    { keys: ["3"], does: "Findings", run: () => showView("findings") },
    { keys: ["v"], does: "Value", run: () => setQuantity("value") },
    { keys: ["g"], does: "Gradient", run: () => setQuantity("gradient") },
    { keys: ["u"], does: "Update", run: () => setQuantity("update") },
    { keys: ["Enter"], does: "Go to the panel of the node", run: focusPanel },
    { keys: ["Escape"], does: "Back to the list of nodes", run: focusList },
    { keys: ["E", "e"], does: "Enlarge the panel, or back", run: toggleEnlarged },
    { keys: ["?"], does: "This list", run: openHelp },
  ]);
}

function focusPanel(): void {
  if (node.peek() !== null) document.querySelector<HTMLElement>("[data-panel]")?.focus();
}

function focusList(): void {
  document.querySelector<HTMLElement>("[role=treegrid]")?.focus();
}
