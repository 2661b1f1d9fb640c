/*
 * What everything that is painted shares: the area of a box, the shape of a function that paints into it, and the canvas under it.
 * The one invariant: an area is in CSS pixels and follows its element; a hidden tab has none.
 */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Context } from "../draw/context";
import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import type { CssPixels } from "../units";

export interface Area {
  readonly width: CssPixels;
  readonly height: CssPixels;
}

export type Paint = (pen: Pen, area: Area, palette: Palette) => void;

/** Something that can be saved as a file: how large it is, and how to draw it. */
export interface Drawing {
  readonly area: Area;
  readonly draw: (context: Context, palette: Palette) => void;
}

const NO_AREA: Area = { width: 0, height: 0 };

/** Has `draw` draw on `canvas`, which gets the size of `area` at `ratio` device pixels per CSS pixel. */
export function drawOn(canvas: HTMLCanvasElement, area: Area, ratio: number, draw: (context: Context) => void): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const [width, height] = [Math.round(area.width * ratio), Math.round(area.height * ratio)];
  // Setting the size allocates a new bitmap even where it is the same.
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, area.width, area.height);
  draw(context);
}

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
