/*
 * The keys of the page. One table gives both what a key does and what the help says of it. The one invariant: a key acts only when no
 * input has the focus, no modifier but Shift is held, and nothing nearer to the focus has taken it (`defaultPrevented`).
 *
 * Single-character keys can be switched off (WCAG 2.1.4): speech input would press them by accident.
 */

import { signal } from "@preact/signals";

export interface Shortcut {
  /** Values of `KeyboardEvent.key`; `Shift+` before one that needs Shift. */
  readonly keys: readonly string[];
  /** As the help shows them; the first of the keys without it. */
  readonly shown?: readonly string[];
  readonly does: string;
  readonly run: () => void;
}

const SIGNS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  " ": "Space",
};

/** What stands on the keys of a shortcut. */
export function signsOf({ keys: [key], shown = key.split("+") }: Shortcut): readonly string[] {
  return shown.map((each) => SIGNS[each] ?? each);
}

const STORED = "tb_activations.single_keys";

/** Do single characters act? Arrow keys, Home, End and Escape always do. */
export const singleKeys = signal(true);

const shortcuts: Shortcut[] = [];

/** Every key that acts now, in the order in which the help lists them. */
export function allShortcuts(): readonly Shortcut[] {
  return shortcuts;
}

/** Adds keys; gives a function that removes them, for a view that comes and goes. */
export function addShortcuts(added: readonly Shortcut[]): () => void {
  shortcuts.push(...added);
  return () => {
    for (const each of added) shortcuts.splice(shortcuts.indexOf(each), 1);
  };
}

export function setSingleKeys(on: boolean): void {
  singleKeys.value = on;
  remember(STORED, on ? "on" : "off");
}

/** Storage may be refused (private windows, sandboxes): then a choice lasts as long as the page. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Elements that use keys themselves. */
function takesKeys(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.closest("input, select, textarea, [contenteditable]") !== null;
}

/** The key of an event as `Shortcut.keys` names it. Shift is part of a character already, but not of an arrow. */
function nameOf(event: KeyboardEvent): string {
  return event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesKeys(event.target)) return;
  const name = nameOf(event);
  if (name.length === 1 && !singleKeys.peek()) return;
  // A focused button is pressed by Space and Enter.
  if ((name === " " || name === "Enter") && (event.target as HTMLElement).closest("button, a, summary") !== null)
    return;
  const shortcut = shortcuts.find((each) => each.keys.includes(name));
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut.run();
}

export function startKeys(): void {
  singleKeys.value = recall(STORED) !== "off";
  document.addEventListener("keydown", onKey);
  // A press whose default is prevented doesn't bring the focus into an iframe, and keys would go on to TensorBoard.
  document.addEventListener("pointerdown", () => {
    if (!document.hasFocus()) window.focus();
  });
}
