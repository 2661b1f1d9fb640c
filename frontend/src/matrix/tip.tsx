/**
 * A tip beside the pointer. The one invariant: it stands 14 px off the pointer, inside the view, and never under the pointer: at the right and lower
 * edge it goes to the other side.
 */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { CssPixels } from "../units";

const DISTANCE: CssPixels = 14;

/** Start of a tip of this extent on one axis. */
export function tipStart(pointer: CssPixels, extent: CssPixels, available: CssPixels): CssPixels {
  const after = pointer + DISTANCE;
  return after + extent <= available ? after : Math.max(0, pointer - DISTANCE - extent);
}

export function Tip({
  x,
  y,
  children,
}: {
  readonly x: CssPixels;
  readonly y: CssPixels;
  readonly children: ComponentChildren;
}): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const tip = element.current;
    const parent = tip?.offsetParent;
    if (tip === null || !(parent instanceof HTMLElement)) return;
    tip.style.left = `${tipStart(x, tip.offsetWidth, parent.clientWidth)}px`;
    tip.style.top = `${tipStart(y, tip.offsetHeight, parent.clientHeight)}px`;
  });
  return (
    <div ref={element} class="tip view-tip" aria-hidden="true">
      {children}
    </div>
  );
}
