/** The graph's controls for the strip of tabs: what colours the boxes, the scale, what else is drawn, and the colour bar. */

import type { Signal } from "@preact/signals";
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

interface Choice {
  readonly label: string;
  readonly run: () => void;
}

/** Toggles and actions in one select, since the strip has little room. It always goes back to its name. */
function ShowSelect(): JSX.Element {
  const toggle = (label: string, flag: Signal<boolean>): Choice => ({
    label: `${flag.value ? "✓ " : ""}${label}`,
    run: () => (flag.value = !flag.peek()),
  });
  const choices: readonly Choice[] = [
    toggle("flow of gradients", showGradients),
    toggle("variables", showVariables),
    { label: "open all scopes", run: () => openAll(true) },
    { label: "close all scopes", run: () => openAll(false) },
  ];
  return (
    <label class="sel graph-show">
      <select
        aria-label="Show in the graph"
        onChange={({ currentTarget }) => {
          choices[currentTarget.selectedIndex - 1]?.run();
          currentTarget.selectedIndex = 0;
        }}
      >
        <option>show</option>
        {choices.map(({ label }) => (
          <option key={label}>{label}</option>
        ))}
      </select>
    </label>
  );
}
