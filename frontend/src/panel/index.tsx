/*
 * The node panel: everything about the chosen node.
 *
 * The one invariant: the panel shows the chosen node, quantity and step and no other; what is still on the way is marked, and what can't be
 * shown is explained in the place where it would be.
 */

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatCount } from "../format";
import { addShortcuts } from "../keys";
import { chosenNode, comparedStep, compareRun, quantity, run, steps } from "../state";
import type { GraphNode } from "../types";
import { type Area, useArea } from "../widgets/canvas";
import { PanelBody } from "./body";
import { type Compared, useCompared, useSeries } from "./data";
import { PanelHead } from "./head";
import "./panel.css";
import { isRecorded, QuantityTabs } from "./quantity_tabs";
import { QuantityReason, ReasonPanel } from "./reason";
import { moveExample } from "./state";
import { Strip } from "./strip";

/** Below this height the panel keeps title and strip, and the strip names quantity and step. */
const SMALLEST_BODY = 130;
const BARS_HEIGHT = 112;

export function NodePanel(): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  const node = chosenNode.value;
  useEffect(
    () =>
      addShortcuts([
        { keys: ["["], does: "Previous example", run: () => moveExample(-1) },
        { keys: ["]"], does: "Next example", run: () => moveExample(1) },
      ]),
    [],
  );
  const small = area.height < SMALLEST_BODY;
  return (
    <div ref={box} class="panel">
      {node !== null && <Chosen node={node} small={small} width={area.width} height={area.height - BARS_HEIGHT} />}
    </div>
  );
}

function Chosen({
  node,
  small,
  width,
  height,
}: Area & {
  readonly node: GraphNode;
  readonly small: boolean;
}): JSX.Element {
  const of = quantity.value;
  const recorded = isRecorded(node, of);
  const series = useSeries(run.value, recorded ? node.name : null, of);
  const compared = useCompared(node.name, of);
  const { history } = series;
  return (
    <>
      <PanelHead node={node} history={history} />
      {node.state !== "materialized" ? (
        !small && <ReasonPanel node={node} />
      ) : (
        <>
          {!small && <QuantityTabs node={node} captures={capturesWords(node, history?.steps.length)} />}
          {history !== null && (
            <Strip history={history} quantity={of} node={node.name} named={small} other={otherOf(compared, history)} />
          )}
          {!small && !recorded && <QuantityReason node={node} quantity={of} />}
          {!small && recorded && (
            <PanelBody node={node} quantity={of} series={series} width={width} height={height} compared={compared} />
          )}
        </>
      )}
    </>
  );
}

/** The second side of the strip: the other run, or another step of this one. */
function otherOf(
  compared: Compared | undefined,
  own: Compared["history"],
): { history: Compared["history"] } | undefined {
  if (comparedStep.value === null) return undefined;
  return compareRun.value === null ? { history: own } : compared;
}

/** `recorded` is newer than what the graph says, which is asked for again only when a state changes. */
function capturesWords(node: GraphNode, recorded?: number): string {
  const captures = recorded ?? node.quantities[quantity.value]?.captures ?? 0;
  const dropped = steps.value.data?.dropped.length ?? 0;
  if (captures === 0) return run.value === null ? "" : "not recorded";
  return `materialized at ${formatCount(captures)} ${captures === 1 ? "step" : "steps"}${dropped > 0 ? `, ${formatCount(dropped)} dropped` : ""}`;
}
