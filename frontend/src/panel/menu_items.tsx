/*
 * Items of a menu that act and close it, and those that every picture has. The one invariant: an item never leaves its menu open.
 */

import type { JSX } from "preact";
import { downloadPng, downloadSvg } from "../export/download";
import type { Drawing } from "../widgets/canvas";

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

/** A picture as a file; `file` gives the name for an extension, and `drawing` is asked when the file is. */
export function drawingItems(file: (extension: string) => string, drawing: () => Drawing | null): MenuItem[] {
  const save = (extension: string, download: (name: string, of: Drawing) => void) => (): void => {
    const found = drawing();
    if (found !== null) download(file(extension), found);
  };
  return [
    ["PNG", save("png", downloadPng)],
    ["SVG", save("svg", downloadSvg)],
  ];
}
