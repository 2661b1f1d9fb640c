/*
 * The list of keys and signs. The one invariant: it lists exactly the keys that act now.
 */

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { allShortcuts, setSingleKeys, signsOf, singleKeys } from "../keys";
import { SEVERITIES, STATES } from "../types";
import { Dialog } from "../widgets/dialog";
import { SeverityIcon, StateGlyph } from "../widgets/icons";

const shown = signal(false);

export function openHelp(): void {
  shown.value = true;
}

const MEANING = {
  materialized: "has a value at one step or more",
  available: "could be recorded, is not selected",
  unreachable: "can't be recorded; the panel says why",
} as const;

export function Help(): JSX.Element | null {
  if (!shown.value) return null;
  return (
    <Dialog title="Keys and signs" open={shown}>
      <h3>Keys</h3>
      <Keys />
      <label class="help-switch">
        <input
          type="checkbox"
          checked={singleKeys.value}
          onChange={(event) => setSingleKeys(event.currentTarget.checked)}
        />
        Single characters act as keys
      </label>
      <h3>Signs</h3>
      <Signs />
    </Dialog>
  );
}

function Entry({
  sign,
  children,
}: {
  readonly sign: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div>
      <dt>{sign}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const keySigns = (signs: readonly string[]): JSX.Element[] => signs.map((sign) => <kbd key={sign}>{sign}</kbd>);

function Keys(): JSX.Element {
  return (
    <dl class="keys">
      {allShortcuts().map((shortcut) => (
        <Entry key={shortcut.does} sign={keySigns(signsOf(shortcut))}>
          {shortcut.does}
        </Entry>
      ))}
      <Entry sign={keySigns(["a…z"])}>List of nodes: go to the next that starts so</Entry>
      <Entry sign={keySigns(["→", "←"])}>List of nodes: open, close</Entry>
      <Entry sign="Drag">Chart or matrix: zoom; a double click shows all steps</Entry>
      <Entry sign="Wheel">On the graph: zoom</Entry>
    </dl>
  );
}

function Signs(): JSX.Element {
  return (
    <dl class="keys">
      {STATES.map((state) => (
        <Entry key={state} sign={<StateGlyph state={state} />}>
          {state}: {MEANING[state]}
        </Entry>
      ))}
      {SEVERITIES.map((severity) => (
        <Entry key={severity} sign={<SeverityIcon severity={severity} />}>
          {severity}
        </Entry>
      ))}
    </dl>
  );
}
