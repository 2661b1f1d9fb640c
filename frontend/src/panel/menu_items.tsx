/*
 * Items of a menu that act and close it, and those that every picture has. The one invariant: an item never leaves its menu open.
 */

import type { JSX } from "preact";
import { downloadPng, downloadSvg } from "../export/download";
import type { Area, Paint } from "../widgets/canvas";

export type MenuItem = readonly [label: string, act: () => void];

export function MenuItems({
  items,
  close,
}: {
  readonly items: readonly MenuItem[];
  readonly close: () => void;
}): JSX.Element {
  return (
    <>
      {items.map(([label, act]) => (
        <button
          key={label}
          type="button"
          class="menu-item"
          onClick={() => {
            act();
            close();
          }}
        >
          {label}
        </button>
      ))}
    </>
  );
}

/** The picture as a file, in the size it has when it is asked for; `file` gives the name for an extension. */
export function pictureItems(
  file: (extension: string) => string,
  area: { readonly current: Area },
  paint: Paint,
): MenuItem[] {
  return [
    ["PNG", () => downloadPng(file("png"), area.current, paint)],
    ["SVG", () => downloadSvg(file("svg"), area.current, paint)],
  ];
}
