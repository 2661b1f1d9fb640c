/** The graph's controls for the strip of tabs: what colours the boxes, the scale, what else is drawn, and the colour bar. */

import type { JSX } from "preact";
import { shading } from "../matrix/coloring";
import { isCompared } from "../matrix/compare";
import { Legend } from "../matrix/legend";
import { colorScale } from "../matrix/options";
import { quantity, statistic } from "../state";
import { labelOf } from "../statistics";
import { Select } from "../widgets/controls";
import { openAll } from "./data";
import { colorBy, showGradients, showVariables } from "./options";

type Show = "choose" | "variables" | "gradients" | "all" | "none";

export function GraphToolbar(): JSX.Element {
  const named = `${isCompared() ? "difference of " : ""}${labelOf(statistic.value)} of ${quantity.value}`;
  return (
    <>
      <ShowSelect />
      <Select
        label="colour"
        value={colorBy.value}
        options={[{ value: "statistic", label: named }, { value: "findings" }]}
        onChange={(value) => (colorBy.value = value)}
      />
      {colorBy.value === "statistic" && (
        <Select
          label="scale"
          value={colorScale.value}
          options={[{ value: "log" }, { value: "linear" }]}
          onChange={(value) => (colorScale.value = value)}
        />
      )}
      {colorBy.value === "statistic" && shading.value !== null && <Legend shading={shading.value} />}
    </>
  );
}

/** Toggles and actions in one select, since the strip has little room. */
function ShowSelect(): JSX.Element {
  const choose = (value: Show): void => {
    if (value === "variables") showVariables.value = !showVariables.peek();
    else if (value === "gradients") showGradients.value = !showGradients.peek();
    else if (value === "all" || value === "none") openAll(value === "all");
  };
  const check = (on: boolean, label: string): string => `${on ? "✓ " : ""}${label}`;
  return (
    <Select<Show>
      name="Show in the graph"
      value="choose"
      className="graph-show"
      options={[
        { value: "choose", label: "show" },
        { value: "gradients", label: check(showGradients.value, "flow of gradients") },
        { value: "variables", label: check(showVariables.value, "variables") },
        { value: "all", label: "open all scopes" },
        { value: "none", label: "close all scopes" },
      ]}
      onChange={choose}
    />
  );
}
