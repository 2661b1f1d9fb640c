/*
 * Which node the page shows where the address names none: that of the first finding of the report, else the first layer. The one invariant: it is chosen once
 * per run, and never in the place of something that the user chose.
 */

import { effect } from "@preact/signals";
import { replacePlace } from "../host";
import { findings, graph, node, run, selectNode } from "../state";
import type { Finding, GraphNode } from "../types";

export function firstNode(nodes: readonly GraphNode[], found: readonly Finding[]): string | null {
  const names = new Set(nodes.map((each) => each.name));
  const first = found.find((finding) => names.has(finding.node));
  const recorded = nodes.filter((each) => each.state === "materialized");
  return first?.node ?? (recorded.find((each) => each.kind === "layer") ?? recorded[0])?.name ?? null;
}

/** Whether it isn't known yet which findings there are. */
export function awaitsFindings(): boolean {
  const { data, error } = findings.value;
  return data === null ? error === null : data.pending && data.findings.length === 0;
}

/** Chooses a node for each run that is shown without one, as soon as its findings have been asked for. */
export function chooseFirstNode(): void {
  let chosenFor: string | null = null;
  effect(() => {
    const [known, name] = [graph.value.data, run.value];
    if (name === null || known?.run !== name || awaitsFindings() || chosenFor === name) return;
    chosenFor = name;
    if (node.peek() !== null) return;
    selectNode(firstNode(known.nodes, findings.value.data?.findings ?? []));
    replacePlace();
  });
}
