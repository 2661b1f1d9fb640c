/*
 * The list of keys and signs. A native dialog: it keeps the focus inside, closes with Escape and gives the focus back. The one invariant:
 * it lists exactly the keys that act now.
 */

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { allShortcuts, setSingleKeys, singleKeys } from "../keys";
import { SEVERITIES, STATES } from "../types";
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
  const dialog = useRef<HTMLDialogElement>(null);
  const open = shown.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  if (!open) return null;
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={() => (shown.value = false)}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="help-body">
        <h2 id="help-title">Keys</h2>
        <Keys />
        <label class="help-switch">
          <input
            type="checkbox"
            checked={singleKeys.value}
            onChange={(event) => setSingleKeys(event.currentTarget.checked)}
          />
          Single characters act as keys
        </label>
        <h2>Signs</h2>
        <Signs />
        <button type="button" class="btn help-close" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}

function Keys(): JSX.Element {
  return (
    <dl class="keys">
      {allShortcuts().map((shortcut) => (
        <div key={shortcut.does}>
          <dt>
            {shortcut.shown.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{shortcut.does}</dd>
        </div>
      ))}
      <div>
        <dt>
          <kbd>a…z</kbd>
        </dt>
        <dd>In the list of nodes: go to the row that starts so</dd>
      </div>
      <div>
        <dt>
          <kbd>→</kbd>
          <kbd>←</kbd>
        </dt>
        <dd>In the list of nodes: open, close</dd>
      </div>
    </dl>
  );
}

function Signs(): JSX.Element {
  return (
    <dl class="keys">
      {STATES.map((state) => (
        <div key={state}>
          <dt>
            <StateGlyph state={state} />
          </dt>
          <dd>
            {state}: {MEANING[state]}
          </dd>
        </div>
      ))}
      {SEVERITIES.map((severity) => (
        <div key={severity}>
          <dt>
            <SeverityIcon severity={severity} />
          </dt>
          <dd>{severity}</dd>
        </div>
      ))}
    </dl>
  );
}
