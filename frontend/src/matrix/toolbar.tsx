/** The matrix's controls for the strip of tabs. */

import type { JSX } from "preact";
import { Popover } from "../charts/popover";
import { shown, zoom } from "../charts/shared";
import { download, runFile } from "../export/download";
import { nodes, quantity, statistic } from "../state";
import { Select } from "../widgets/controls";
import { Icon } from "../widgets/icons";
import { drawingItems, type MenuItem, MenuItems } from "../panel/menu_items";
import { matrixCsv } from "./csv";
import { matrix } from "./data";
import { matrixDrawing } from "./drawing";
import { domain, rowChoice } from "./options";
import { ScaleSelect } from "./scale_select";
import { matrixRows } from "./view";

const file = (extension: string): string => runFile([quantity.peek(), statistic.peek(), "matrix"], extension);

function exportCsv(): void {
  const data = matrix.peek();
  if (data === null) return;
  const parts = matrixCsv(data, matrixRows.peek(), nodes.peek(), shown.peek(), quantity.peek(), statistic.peek());
  download(file("csv"), ...parts);
}

const ITEMS: readonly MenuItem[] = [...drawingItems(file, matrixDrawing), ["CSV of the numbers", exportCsv]];

export function MatrixToolbar(): JSX.Element {
  return (
    <>
      {zoom.value !== null && (
        <button type="button" class="btn" onClick={() => (zoom.value = null)}>
          All steps
        </button>
      )}
      <Select
        label="rows"
        value={rowChoice.value}
        options={[
          { value: "all", label: "all nodes" },
          { value: "recorded", label: `with ${quantity.value}` },
          { value: "findings", label: "with findings" },
        ]}
        onChange={(value) => (rowChoice.value = value)}
      />
      <Select
        label="colours"
        value={domain.value}
        options={[
          { value: "shared", label: "of all rows" },
          { value: "row", label: "of each row" },
        ]}
        onChange={(value) => (domain.value = value)}
      />
      <ScaleSelect />
      <Popover label="Export the matrix" button={<Icon name="download" />}>
        {(close) => <MenuItems items={ITEMS} close={close} />}
      </Popover>
    </>
  );
}
