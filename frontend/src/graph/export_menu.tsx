/** The graph as a file: all of it, with the scopes that are open and the colours that are on, whatever part of it is in sight. */

import type { JSX } from "preact";
import { Popover } from "../charts/popover";
import { runFile } from "../export/download";
import { drawingItems, MenuItems } from "../panel/menu_items";
import { quantity, statistic, step } from "../state";
import { Icon } from "../widgets/icons";
import { stageOnPage } from "./stage";

export function GraphExport(): JSX.Element {
  const file = (extension: string): string =>
    runFile(["graph", quantity.peek(), statistic.peek(), `step ${step.peek()}`], extension);
  const items = drawingItems(file, () => stageOnPage.peek()?.drawing() ?? null);
  return (
    <Popover label="Export the graph" button={<Icon name="download" />}>
      {(close) => <MenuItems items={items} close={close} />}
    </Popover>
  );
}
