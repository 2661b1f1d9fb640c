/** What an item is in words: for the tip, for who can't see the graph, and for the live region. */

import { formatShape, visibleName } from "../format";
import { formatStatistic, labelOf, reasonOf } from "../statistics";
import type { Quantity } from "../types";
import type { Cell } from "./cells";
import { isScope, pathOf, type Scene } from "./scene";

export interface Description {
  /** Path without its last part, and the last part. */
  readonly scope: string;
  readonly name: string;
  readonly kind: string;
  /** One sentence or number per line. */
  readonly lines: readonly string[];
}

export interface DescribedStep {
  readonly quantity: Quantity;
  readonly statistic: string;
  /** Number of the node, NaN without. */
  readonly value: (node: number) => number;
  readonly cell: (node: number) => Cell | null;
  readonly compared: boolean;
}

function valueLine(scene: Scene, item: number, step: DescribedStep): string | null {
  const { node } = scene.texts[item];
  if (node < 0) return null;
  const reason = reasonOf(scene.nodes[node], step.quantity);
  if (reason !== null) return `${step.quantity}: ${reason}`;
  const cell = step.cell(node);
  if (cell === null) return null;
  const name = `${step.quantity} ${labelOf(step.statistic)}`;
  if (cell.kind === "nothing") return `${name}: not recorded at this step`;
  const difference = step.compared ? "difference " : "";
  if (cell.kind === "scalar") return `${step.quantity} ${difference}${cell.text}`;
  const number = formatStatistic(step.statistic, step.value(node));
  const nonfinite = cell.kind === "nonfinite" ? `, holds ${cell.text}` : "";
  return `${name} ${difference}${number}${nonfinite}`;
}

export function describeItem(scene: Scene, item: number, step: DescribedStep): Description {
  const path = pathOf(scene, item);
  const text = scene.texts[item];
  const node = scene.nodes[text.node] as Scene["nodes"][number] | undefined;
  const lines: string[] = [];
  const value = valueLine(scene, item, step);
  if (value !== null) lines.push(value);
  if (node !== undefined) lines.push(formatShape(node.dtype, node.shape));
  if (isScope(scene, item))
    lines.push(`${text.inside} nodes inside, ${scene.visible.items[item].open ? "open" : "closed"}`);
  const cut = path.lastIndexOf("/");
  return { scope: path.slice(0, cut + 1), name: visibleName(path.slice(cut + 1)), kind: node?.class ?? "scope", lines };
}

export function sentenceOf({ scope, name, kind, lines }: Description): string {
  return [`${scope}${name}`, kind, ...lines].join(", ");
}
