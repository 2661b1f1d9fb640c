/*
 * Tabs of value, gradient and update. The one invariant: a quantity that isn't there keeps its tab, and the tab leads to the reason.
 */

import type { JSX } from "preact";
import { chooseTab, tabId } from "../shell/tabs";
import { quantity, setQuantity } from "../state";
import type { GraphNode, Quantity } from "../types";
import { QUANTITIES } from "../types";
import { beside } from "./state";

export function isRecorded(node: GraphNode, of: Quantity): boolean {
  return node.quantities[of]?.state === "materialized";
}

export function recordedQuantities(node: GraphNode): Quantity[] {
  return QUANTITIES.filter((each) => isRecorded(node, each));
}

export function QuantityTabs({ node, captures }: { readonly node: GraphNode; readonly captures: string }): JSX.Element {
  const recorded = recordedQuantities(node);
  const chosen = quantity.value;
  return (
    <div class="quantity-bar">
      <div
        class="quantity-tabs"
        role="tablist"
        aria-label="Quantity"
        onKeyDown={(event) => chooseTab(event, QUANTITIES, chosen, setQuantity)}
      >
        {QUANTITIES.map((each) => (
          <Tab key={each} node={node} quantity={each} chosen={each === chosen} />
        ))}
      </div>
      <span class="grow" />
      {recorded.length > 1 && (
        <button
          type="button"
          class={`btn ${beside.value ? "on" : ""}`}
          aria-pressed={beside.value}
          onClick={() => (beside.value = !beside.value)}
        >
          {recorded.join(" beside ")}
        </button>
      )}
      <span class="captures dim ellipsis">{captures}</span>
    </div>
  );
}

function Tab({
  node,
  quantity: of,
  chosen,
}: {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly chosen: boolean;
}): JSX.Element {
  const recorded = isRecorded(node, of);
  const title =
    node.quantities[of]?.title ?? (of === "update" && node.kind !== "variable" ? "variables only" : "not recorded");
  return (
    <button
      type="button"
      id={tabId(of)}
      role="tab"
      class={`quantity-tab ${chosen ? "on" : ""} ${recorded ? "" : "absent"}`}
      aria-selected={chosen}
      aria-controls="quantity-panel"
      tabIndex={chosen ? 0 : -1}
      title={recorded ? undefined : title}
      onClick={() => setQuantity(of)}
    >
      <i class={`quantity-dash ${of}`} />
      {of}
      {!recorded && <small class="hide-narrow"> ({title})</small>}
    </button>
  );
}
