/*
 * A dialog over the page: native, so it keeps the focus inside, closes with Escape and gives the focus back. The one invariant: it is there exactly
 * while `open` is set, whatever closes it.
 */

import type { Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Dialog({
  title,
  open,
  wide = false,
  children,
}: {
  readonly title: string;
  readonly open: Signal<boolean>;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const close = (): void => dialog.current?.close();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class={`help ${wide ? "wide" : ""}`}
      aria-label={title}
      onClose={() => (open.value = false)}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div class="help-body">
        <h2>{title}</h2>
        {children}
        <button type="button" class="btn help-close" onClick={close}>
          Close
        </button>
      </div>
    </dialog>
  );
}
