/*
 * A bar between two parts that moves by dragging or with the arrow keys. The one invariant: it reports sizes within its limits, in pixels, and
 * never lays anything out itself.
 */

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { CssPixels } from "../units";

const KEY_STEP: CssPixels = 16;

export function Splitter({
  label,
  orientation,
  size,
  least,
  most,
  onResize,
}: {
  readonly label: string;
  /** As ARIA says it: a vertical bar has parts left and right of it. */
  readonly orientation: "vertical" | "horizontal";
  /** Of the part before the bar. */
  readonly size: CssPixels;
  readonly least: CssPixels;
  readonly most: CssPixels;
  readonly onResize: (size: CssPixels) => void;
}): JSX.Element {
  const grabbed = useRef<{ readonly at: CssPixels; readonly size: CssPixels } | null>(null);
  const vertical = orientation === "vertical";
  const along = (event: PointerEvent): CssPixels => (vertical ? event.clientX : event.clientY);
  const resize = (wanted: CssPixels): void => onResize(Math.round(Math.min(Math.max(wanted, least), most)));
  const onKeyDown = (event: KeyboardEvent): void => {
    const [less, more] = vertical ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const steps: Readonly<Record<string, CssPixels>> = {
      [less]: size - KEY_STEP,
      [more]: size + KEY_STEP,
      Home: least,
      End: most,
    };
    const wanted = steps[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    resize(wanted);
  };
  return (
    <div
      class={`splitter ${orientation}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={orientation}
      aria-valuenow={Math.round(size)}
      aria-valuemin={Math.round(least)}
      aria-valuemax={Math.round(most)}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        grabbed.current = { at: along(event), size };
      }}
      onPointerMove={(event) => {
        if (grabbed.current !== null) resize(grabbed.current.size + along(event) - grabbed.current.at);
      }}
      onPointerUp={() => (grabbed.current = null)}
      onPointerCancel={() => (grabbed.current = null)}
    />
  );
}
