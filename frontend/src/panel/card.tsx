/*
 * The head of a card: what it shows, a note, its controls. The one invariant: while newer data are on the way the head says so in
 * words, not by a spinner over the picture: what is shown stays readable.
 */

import type { ComponentChildren, JSX } from "preact";

export function CardHead({
  title,
  note,
  mark,
  pending = false,
  children,
}: {
  readonly title: ComponentChildren;
  readonly note?: string;
  /** What stands before the note. */
  readonly mark?: ComponentChildren;
  readonly pending?: boolean;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="card-head">
      <h3>{title}</h3>
      <span class="card-note" title={note}>
        {mark} {note}
      </span>
      {pending && <span class="card-pending">loading …</span>}
      <span class="grow" />
      {children}
    </div>
  );
}

export const NO_ELEMENTS = "It has no elements.";

/** A sentence where a picture would be. */
export function CardMessage({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="card-message fill">
      <p>{children}</p>
    </div>
  );
}
