/** The graph's controls for the strip of tabs: what colours the boxes, the scale, what else is drawn, and the colour bar. */

import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { Popover } from "../charts/popover";
import { shading } from "../matrix/coloring";
import { isCompared } from "../matrix/compare";
import { Legend } from "../matrix/legend";
import { ScaleSelect } from "../matrix/scale_select";
import { quantity, statistic } from "../state";
import { labelOf } from "../statistics";
import { type MenuItem, MenuItems } from "../panel/menu_items";
import { Select } from "../widgets/controls";
import { Icon } from "../widgets/icons";
import { openAll } from "./data";
import { colorBy, showGradients, showVariables } from "./options";

export function GraphToolbar(): JSX.Element {
  const named = `${isCompared() ? "difference of " : ""}${labelOf(statistic.value)} of ${quantity.value}`;
  return (
    <>
      <ShowMenu />
      <Select
        label="colour"
        value={colorBy.value}
        options={[{ value: "statistic", label: named }, "findings"]}
        onChange={(value) => (colorBy.value = value)}
      />
      {colorBy.value === "statistic" && (
        <>
          <ScaleSelect />
          {shading.value !== null && <Legend shading={shading.value} />}
        </>
      )}
    </>
  );
}

/** What else is drawn, and what opens or closes all scopes at once. */
function ShowMenu(): JSX.Element {
  const toggles: readonly (readonly [string, Signal<boolean>])[] = [
    ["flow of gradients", showGradients],
    ["variables", showVariables],
  ];
  const items: readonly MenuItem[] = [
    ["open all scopes", () => openAll(true)],
    ["close all scopes", () => openAll(false)],
  ];
  return (
    <Popover label="Show in the graph" button={<ShowLabel />} className="graph-show">
      {(close) => (
        <>
          <div class="check-list">
            {toggles.map(([label, flag]) => (
              <label key={label}>
                <input type="checkbox" checked={flag.value} onChange={() => (flag.value = !flag.peek())} />
                {label}
              </label>
            ))}
          </div>
          <MenuItems items={items} close={close} />
        </>
      )}
    </Popover>
  );
}

const ShowLabel = (): JSX.Element => (
  <>
    show <Icon name="open" small />
  </>
);
