/*
 * A canvas that fills its box and is painted through a pen. The one invariant: the bitmap has one element per device pixel, and `paint` runs
 * again when it, the size, the zoom or the theme changes; it never runs for a box without area (a hidden tab).
 */

import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { CanvasPen } from "../draw/canvas_pen";
import { readPalette } from "../draw/palette";
import type { Palette } from "../draw/palette";
import type { Pen } from "../draw/pen";
import { theme } from "../state";
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

/** `label` names the picture for who can't see it; without one the canvas is decoration. */
export function Canvas({
  label,
  paint,
  className = "",
}: {
  readonly label?: string;
  readonly paint: Paint;
  readonly className?: string;
}): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const shownTheme = theme.value;
  useLayoutEffect(() => {
    if (canvas.current !== null && area.width > 0 && area.height > 0) repaint(canvas.current, area, paint);
  }, [paint, area, shownTheme]);
  return (
    <div ref={box} class={`cv ${className}`}>
      <canvas ref={canvas} role={label === undefined ? "presentation" : "img"} aria-label={label} />
    </div>
  );
}

function repaint(canvas: HTMLCanvasElement, area: Area, paint: Paint): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(area.width * ratio);
  canvas.height = Math.round(area.height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const palette = readPalette();
  paint(new CanvasPen(context, palette.font), area, palette);
}
