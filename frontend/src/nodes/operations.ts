/* Whether the list of TensorFlow operations is open, and what is searched in it. */

import { signal } from "@preact/signals";
import { node } from "../state";

export const operationsOpen = signal(false);
export const operationsText = signal("");

/** Opens the list, at the operations of the chosen node. */
export function openOperations(): void {
  operationsText.value = node.value === null ? "" : `${node.value}/`;
  operationsOpen.value = true;
}
