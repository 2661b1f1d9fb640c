/** The shading of the chosen statistic, the same in graph and matrix: from the coarse history of all nodes that the list has loaded anyway. */

import { computed } from "@preact/signals";
import type { Coloring } from "../colormap";
import { history } from "../nodes/history";
import { statistic } from "../state";
import { compareHistory, currentReference, isCompared, subtract } from "./compare";
import { colorScale } from "./options";
import { shadeSigned, shadeStatistic } from "./shading";

/** Null until the history is known. */
export const shading = computed<Coloring | null>(() => {
  const matrix = history.value.data;
  if (matrix === null) return null;
  if (!isCompared()) return shadeStatistic(statistic.value, matrix, colorScale.value);
  const reference = currentReference(compareHistory.value.data);
  return reference && shadeSigned(subtract(matrix, reference), colorScale.value);
});
