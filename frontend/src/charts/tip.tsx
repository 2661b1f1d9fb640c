/*
 * The tip of a picture: what is under the pointer. The one invariant: it never covers that place; it stands 14 px off and flips at the edges.
 */

import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { CssPixels } from "../units";

const DISTANCE: CssPixels = 14;

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
    const box = element?.parentElement;
    if (element === null || box === null || box === undefined) return;
    const { left, top } = placeTip(x, y, element.offsetWidth, element.offsetHeight, box.getBoundingClientRect());
    element.style.transform = `translate(${left}px, ${top}px)`;
  });
  return (
    <div ref={tip} class="tip picture-tip">
      {children}
    </div>
  );
}

/** Where the tip stands in its box: right below the place, or on the other side where the window ends. */
export function placeTip(
  x: CssPixels,
  y: CssPixels,
  width: CssPixels,
  height: CssPixels,
  box: { readonly left: CssPixels; readonly top: CssPixels },
  frame: { readonly width: CssPixels; readonly height: CssPixels } = {
    width: window.innerWidth,
    height: window.innerHeight,
  },
): { left: CssPixels; top: CssPixels } {
  const right = box.left + x + DISTANCE + width <= frame.width;
  const below = box.top + y + DISTANCE + height <= frame.height;
  return {
    left: right ? x + DISTANCE : Math.max(-box.left, x - DISTANCE - width),
    top: below ? y + DISTANCE : Math.max(-box.top, y - DISTANCE - height),
  };
}
