/*
 * The keys of the whole page. The one invariant: each does what a visible control does too.
 */

import { addShortcuts } from "../keys";
import { node, setLive, setQuantity, setView, moveCapture } from "../state";
import { nextFinding } from "../steps/jumps";
import { togglePlay } from "../steps/play";
import { openHelp } from "./help";
import { toggleEnlarged } from "./layout";

export function addPageKeys(): void {
  addShortcuts([
    { keys: ["ArrowLeft"], shown: ["←"], does: "Previous capture", run: () => moveCapture(-1) },
    { keys: ["ArrowRight"], shown: ["→"], does: "Next capture", run: () => moveCapture(1) },
    { keys: ["Shift+ArrowLeft"], shown: ["Shift", "←"], does: "Ten captures back", run: () => moveCapture(-10) },
    { keys: ["Shift+ArrowRight"], shown: ["Shift", "→"], does: "Ten captures on", run: () => moveCapture(10) },
    { keys: ["Home"], shown: ["Home"], does: "First capture", run: () => moveCapture(-Infinity) },
    { keys: ["End"], shown: ["End"], does: "Last capture, and follow new ones", run: () => setLive(true) },
    { keys: [" "], shown: ["Space"], does: "Play or pause", run: togglePlay },
    { keys: ["n"], shown: ["n"], does: "Next finding", run: () => nextFinding(1) },
    { keys: ["p"], shown: ["p"], does: "Previous finding", run: () => nextFinding(-1) },
    { keys: ["1"], shown: ["1"], does: "Graph", run: () => setView("graph") },
    { keys: ["2"], shown: ["2"], does: "Matrix", run: () => setView("matrix") },
    { keys: ["3"], shown: ["3"], does: "Findings", run: () => setView("findings") },
    { keys: ["v"], shown: ["v"], does: "Value", run: () => setQuantity("value") },
    { keys: ["g"], shown: ["g"], does: "Gradient", run: () => setQuantity("gradient") },
    { keys: ["u"], shown: ["u"], does: "Update", run: () => setQuantity("update") },
    { keys: ["Enter"], shown: ["Enter"], does: "Go to the panel of the node", run: focusPanel },
    { keys: ["Escape"], shown: ["Esc"], does: "Back to the list of nodes", run: focusList },
    { keys: ["e", "E"], shown: ["E"], does: "Enlarge the panel, or back", run: toggleEnlarged },
    { keys: ["?"], shown: ["?"], does: "This list", run: openHelp },
  ]);
}

function focusPanel(): void {
  if (node.peek() !== null) document.querySelector<HTMLElement>("[data-panel]")?.focus();
}

function focusList(): void {
  document.querySelector<HTMLElement>("[role=treegrid]")?.focus();
}
