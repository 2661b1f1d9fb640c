/*
 * Places worth going to: findings in the order of their steps, and the first NaN or infinity. The one invariant: a jump ends at a recorded
 * step and at a node of this run, where what was promised can be seen.
 */

import { batch, computed, signal } from "@preact/signals";
import { announce } from "../a11y";
import { fetchMatrix } from "../api";
import { history } from "../nodes/history";
import { resource } from "../resource";
import {
  askForStep,
  findings,
  node,
  nodes,
  run,
  sameRun,
  selectNode,
  selectRun,
  selectStep,
  setCompareRun,
  setQuantity,
  step,
  versionOf,
} from "../state";
import { QUANTITIES } from "../types";
import type { Finding, Matrix, Quantity } from "../types";
import type { NodeIndex, Step } from "../units";

export const findingsByStep = computed<readonly Finding[]>(() =>
  [...(findings.value.data?.findings ?? [])].sort((a, b) => a.first_step - b.first_step),
);

/** What stays the same of a finding from one answer to the next. */
export function findingId({ rule, node: name, quantity, first_step: first }: Finding): string {
  return [rule, name, quantity, first].join(" ");
}

/** The finding gone to last: several may stand at one node and step. */
let visited = "";

/** One of the run that is compared opens that run: the one that was on screen is then what it is compared with. */
export function goToFinding(finding: Finding, of: string | null = run.peek()): void {
  visited = findingId(finding);
  const before = run.peek();
  batch(() => {
    goToNodeOf(finding);
    if (of === null || of === before) return selectStep(finding.first_step);
    selectRun(of);
    setCompareRun(before);
    askForStep(finding.first_step); // Its list of steps may not be there yet.
  });
}

export function goToNodeOf({ node: name, quantity }: Finding): void {
  setQuantity(quantity);
  if (name !== "") selectNode(name);
}

export interface Here {
  readonly visited: string;
  readonly node: string | null;
  readonly step: Step;
}

/** The next (1) or previous (−1) of findings in the order of steps, seen from where we are; after the last comes the first. */
export function findingBeside(all: readonly Finding[], here: Here, direction: 1 | -1): Finding | undefined {
  const atStep = (each: Finding): boolean => each.first_step === here.step;
  const last = all.findIndex(
    (each) => atStep(each) && findingId(each) === here.visited && ["", here.node].includes(each.node),
  );
  const at = last >= 0 ? last : all.findIndex((each) => atStep(each) && each.node === here.node);
  if (at >= 0) return all.at((at + direction) % all.length);
  return direction > 0
    ? (all.find((each) => each.first_step >= here.step) ?? all[0])
    : (all.findLast((each) => each.first_step <= here.step) ?? all.at(-1));
}

export function nextFinding(direction: 1 | -1): void {
  const here = { visited, node: node.peek(), step: step.peek() ?? 0 };
  const found = findingBeside(findingsByStep.peek(), here, direction);
  if (found !== undefined) goToFinding(found);
}

/** A mark of several findings leads to one after the other. */
export function goToNextOf(group: readonly Finding[]): void {
  goToFinding(group[(group.findIndex((each) => findingId(each) === visited) + 1) % group.length]);
}

/** The column in which something wasn't finite for the first time; −1: never. */
function firstBrokenColumn({ nonfinite, nodes: count, columns }: Matrix): number {
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < count; row += 1) if (nonfinite[row * columns + column] !== 0) return column;
  }
  return -1;
}

/** Where something isn't finite. */
export interface Place {
  readonly node: NodeIndex;
  readonly step: Step;
}

/** Asks for the steps from `first` to `last`, in as many columns as the caller likes. */
type Ask = (first?: Step, last?: Step) => Promise<Matrix>;

/** The earliest capture with a NaN or an infinity, and there the first node in execution order; null when there is none. */
export async function firstNonfinite(ask: Ask): Promise<Place | null> {
  let matrix = await ask();
  for (;;) {
    const column = firstBrokenColumn(matrix);
    if (column < 0) return null;
    const [first, last] = [matrix.start[column], matrix.stop[column]];
    if (first < last) matrix = await ask(first, last);
    else
      return {
        node:
          (matrix.nonfinite.findIndex((mark, at) => mark !== 0 && at % matrix.columns === column) / matrix.columns) | 0,
        step: first,
      };
  }
}

/** Of a run of 10,000 captures the first is found with three questions. */
const COLUMNS = 96;
const never = new AbortController().signal;

function ask(name: string, quantity: Quantity, columns: number): Ask {
  return (first_step, last_step) =>
    fetchMatrix(
      { run: name, quantity, statistic: "nan_count", columns, first_step, last_step, v: versionOf(name) },
      never,
    );
}

/** The quantities in which something isn't finite; asked as often as the history of the list. */
const broken = resource(
  () => {
    const known = history.value.key;
    return known === null ? null : { run: known.run, version: known.version };
  },
  async (key) => {
    const all = await Promise.all(QUANTITIES.map((each) => ask(key.run, each, 1)()));
    return QUANTITIES.filter((_, index) => firstBrokenColumn(all[index]) >= 0);
  },
  { retain: sameRun },
);

/** Does the run hold a NaN or an infinity, in any quantity? */
export const anyNonfinite = computed(() => (broken.value.data ?? []).length > 0);

export const searching = signal(false);

/** Goes to the first NaN or infinity of the run; of several quantities at the same step, to the value first. */
export async function goToFirstNonfinite(): Promise<void> {
  const name = run.peek();
  if (name === null || searching.peek()) return;
  searching.value = true;
  try {
    const found = await Promise.all(
      (broken.peek().data ?? []).map(async (quantity) => ({
        quantity,
        place: await firstNonfinite(ask(name, quantity, COLUMNS)),
      })),
    );
    const places = found.flatMap(({ quantity, place }) => (place === null ? [] : [{ ...place, quantity }]));
    const [first] = places.sort((a, b) => a.step - b.step);
    if (first === undefined || run.peek() !== name) return;
    batch(() => {
      setQuantity(first.quantity);
      selectNode(nodes.peek()[first.node].name);
      selectStep(first.step);
    });
  } catch (error) {
    announce(error instanceof Error ? error.message : String(error));
  } finally {
    searching.value = false;
  }
}
