/*
 * A button with something that opens under it. Escape and a click elsewhere close it and give the focus back; arrows go from one item to the next.
 * The one invariant: the button says whether it is open (`aria-expanded`), and closed means not in the document.
 */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { CssPixels } from "../units";

/** Between an open body and its button, and the edge of the page. */
const MARGIN: CssPixels = 8;

/** Opens upwards where it doesn't fit below its button and there is more room above; what has no room there either scrolls. */
function place(body: HTMLElement | null): void {
  if (body === null) return;
  const { top, bottom } = (body.parentElement as HTMLElement).getBoundingClientRect();
  const below = window.innerHeight - bottom;
  const up = below < body.scrollHeight + MARGIN && below < top;
  body.classList.toggle("up", up);
  body.style.maxHeight = `${(up ? top : below) - MARGIN}px`;
}

export function Popover({
  label,
  button,
  children,
  className = "",
}: {
  readonly label: string;
  readonly button: ComponentChildren;
  readonly children: ComponentChildren | ((close: () => void) => ComponentChildren);
  readonly className?: string;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event): void => {
      if (!(event.target instanceof Node) || box.current?.contains(event.target) !== true) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const close = (): void => {
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = ["ArrowUp", "Escape", "ArrowDown"].indexOf(event.key) - 1;
    // In a select, arrows choose.
    if (!open || by < -1 || (by !== 0 && event.target instanceof HTMLSelectElement)) return;
    event.preventDefault();
    if (by === 0) {
      close();
      return;
    }
    const items = [...(box.current?.querySelectorAll<HTMLElement>("button, input, select") ?? [])];
    items.at((items.findIndex((item) => item === event.target) + by) % items.length)?.focus();
  };
  return (
    <span ref={box} class={`popover ${className}`} onKeyDown={onKeyDown}>
      <button
        type="button"
        class={`btn ico ${open ? "on" : ""}`}
        aria-label={label}
        title={label}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div ref={place} class="popover-body">
          {typeof children === "function" ? children(close) : children}
        </div>
      )}
    </span>
  );
}
