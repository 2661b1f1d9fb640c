/*
 * The menu of a chart: its picture as PNG or SVG, its numbers as CSV, and the same as a table. The one invariant: what is exported is what
 * the chart shows, in the theme and at the zoom that are on.
 */

import type { JSX } from "preact";
import { download, drawingOf, runFile } from "../export/download";
import { Popover } from "../charts/popover";
import type { Area, Paint } from "../widgets/canvas";
import { drawingItems, MenuItems } from "./menu_items";
import { type ChartName, tables, toggleTable } from "./state";

export function ChartMenu({
  name,
  base,
  area,
  csv,
  chart,
}: {
  readonly name: string;
  readonly base: Paint;
  readonly area: { readonly current: Area };
  readonly csv: () => string;
  readonly chart: ChartName;
}): JSX.Element {
  const file = (extension: string): string => runFile([name], extension);
  const items = drawingItems(file, () => drawingOf(area.current, base));
  items.push(
    ["CSV of the numbers", () => download(file("csv"), csv())],
    [tables.value.has(chart) ? "Show the chart" : "Show as a table", () => toggleTable(chart)],
  );
  return (
    <Popover label="Export and table" button="⋯" className="chart-menu">
      {(close) => <MenuItems items={items} close={close} />}
    </Popover>
  );
}
