/*
 * What everything that is painted shares: the area of a box, and the shape of a function that paints into it. The one invariant: an area is in
 * CSS pixels and follows its element; a hidden tab has none.
 */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import type { CssPixels } from "../units";

export interface Area {
  readonly width: CssPixels;
  readonly height: CssPixels;
}

export type Paint = (pen: Pen, area: Area, palette: Palette) => void;

const NO_AREA: Area = { width: 0, height: 0 };

/** The size of an element's content box, followed. */
export function useArea<T extends HTMLElement>(): readonly [{ readonly current: T | null }, Area] {
  const element = useRef<T>(null);
  const [area, setArea] = useState(NO_AREA);
  useLayoutEffect(() => {
    if (element.current === null) return;
    const measure = (): void => {
      const { clientWidth: width, clientHeight: height } = element.current ?? { clientWidth: 0, clientHeight: 0 };
      setArea((old) => (old.width === width && old.height === height ? old : { width, height }));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element.current);
    measure();
    return () => observer.disconnect();
  }, []);
  return [element, area];
}
