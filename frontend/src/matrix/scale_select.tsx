/** The scale of the colours of a statistic, which graph and matrix share. */

import type { JSX } from "preact";
import { Select } from "../widgets/controls";
import { colorScale } from "./options";

export function ScaleSelect(): JSX.Element {
  return (
    <Select
      label="scale"
      value={colorScale.value}
      options={["log", "linear"]}
      onChange={(value) => (colorScale.value = value)}
    />
  );
}
