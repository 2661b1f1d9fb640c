/*
 * A picture of two layers: `base` holds the data, `over` what follows step and pointer.
 *
 * The one invariant: moving the pointer or the step repaints `over` alone. Both layers are painted in the page's one frame, at the device's own
 * resolution, and never for a box without area (a hidden tab).
 */

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { CanvasPen } from "../draw/canvas_pen";
import { forgetLayer, paintInFrame } from "../draw/frame";
import { type Area, drawOn, type Paint, useArea } from "../widgets/canvas";
import { theme } from "../state";
import type { CssPixels } from "../units";

/** Device pixels per CSS pixel; changes with browser zoom and when the window moves to another screen. */
const pixelRatio = signal(1);

function watchRatio(): void {
  pixelRatio.value = window.devicePixelRatio;
  window
    .matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`)
    .addEventListener("change", watchRatio, { once: true });
}
if (typeof window !== "undefined" && typeof window.matchMedia === "function") watchRatio();

/** Handlers get the event as the browser makes it; `currentTarget` is the picture's box. */
export interface PointerHandlers {
  readonly onPointerDown?: (event: PointerEvent) => void;
  readonly onPointerMove?: (event: PointerEvent) => void;
  readonly onPointerUp?: (event: PointerEvent) => void;
  readonly onPointerLeave?: () => void;
  readonly onPointerCancel?: () => void;
  readonly onClick?: (event: MouseEvent) => void;
  readonly onDblClick?: () => void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly onBlur?: () => void;
}

/** Where in the picture the pointer is. */
export function placeOf(event: MouseEvent): { x: CssPixels; y: CssPixels } {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

export interface PictureProps extends PointerHandlers {
  /** One sentence: what the picture shows. */
  readonly label: string;
  readonly base: Paint;
  readonly over?: Paint;
  /** What the keys do when the picture has the focus; without it, it takes none. */
  readonly keys?: string;
  readonly className?: string;
  readonly children?: ComponentChildren;
  readonly areaRef?: RefObject<Area>;
}

export function Picture({
  label,
  base,
  over,
  keys,
  className = "",
  children,
  areaRef,
  ...handlers
}: PictureProps): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  const lower = useLayer(area, base);
  const upper = useLayer(area, over);
  if (areaRef !== undefined) areaRef.current = area;
  const focusable = keys === undefined ? {} : { tabIndex: 0, role: "group" as const, "aria-label": `${label} ${keys}` };
  return (
    <div ref={box} class={`cv picture ${className}`} {...focusable} {...handlers}>
      <canvas ref={lower} role="img" aria-label={label} />
      {over !== undefined && <canvas ref={upper} aria-hidden="true" />}
      {children}
    </div>
  );
}

function useLayer(area: Area, paint: Paint | undefined): RefObject<HTMLCanvasElement | null> {
  const canvas = useRef<HTMLCanvasElement>(null);
  const ratio = pixelRatio.value;
  const shownTheme = theme.value;
  useLayoutEffect(() => {
    const element = canvas.current;
    if (element === null || paint === undefined || area.width <= 0 || area.height <= 0) return;
    paintInFrame(canvas, (palette) =>
      drawOn(element, area, ratio, (context) => paint(new CanvasPen(context, palette.font), area, palette)),
    );
  }, [paint, area, ratio, shownTheme]);
  useEffect(() => () => forgetLayer(canvas), []);
  return canvas;
}
