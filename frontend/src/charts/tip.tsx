/*
 * The tip of a picture: what is under the pointer. The one invariant: it never covers that place. It stands 14 px off, flips where the window
 * ends, and isn't cut off by the view it belongs to.
 */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { CssPixels } from "../units";

const DISTANCE: CssPixels = 14;

/** `x` and `y` are places in the parent of the tip. */
export function Tip({
  x,
  y,
  children,
}: {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly children: ComponentChildren;
}): JSX.Element {
  const tip = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = tip.current;
    const box = element?.parentElement?.getBoundingClientRect();
    if (element === null || box === undefined) return;
    element.style.left = `${tipStart(box.left + x, element.offsetWidth, window.innerWidth)}px`;
    element.style.top = `${tipStart(box.top + y, element.offsetHeight, window.innerHeight)}px`;
  });
  return (
    <div ref={tip} class="tip" aria-hidden="true">
      {children}
    </div>
  );
}

/** Start of a tip of this extent on one axis: after the place, or before it where the window ends, and never outside. */
export function tipStart(place: CssPixels, extent: CssPixels, available: CssPixels): CssPixels {
  const after = place + DISTANCE;
  return after + extent <= available ? after : Math.max(0, place - DISTANCE - extent);
}
