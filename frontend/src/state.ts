/*
 * The state of the page: a few signals, the actions that change them, and what follows from them. Names are binding for every view.
 *
 * The one invariant: only the actions below write these signals. Everything else is derived, so that two views can't disagree.
 * This file fetches nothing itself but through `resource`; polling and deep links stand in `live.ts` and `host.ts`.
 */

import { batch, computed, effect, signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { fetchFindings, fetchGraph, fetchSnapshot, fetchSteps } from "./api";
import { Cache, resource } from "./resource";
import type { Answer } from "./resource";
import type { Findings, Graph, GraphNode, Quantity, RunSummary, Runs, Snapshot, Steps } from "./types";
import type { CaptureIndex, NodeIndex, Step } from "./units";

export type View = "graph" | "matrix" | "findings";
export type Theme = "light" | "dark";

/** Bytes of snapshots kept for scrubbing. 10,000 nodes take 0.7 MB each. */
const SNAPSHOT_BYTES = 48e6;

// What the server said last.
export const listing = signal<Runs | null>(null);
export const runs = computed(() => listing.value?.runs ?? null);

// What the user looks at.
export const run = signal<string | null>(null);
export const node = signal<string | null>(null);
export const step = signal<Step | null>(null);
export const quantity = signal<Quantity>("value");
export const statistic = signal("std");
export const view = signal<View>("graph");
export const theme = signal<Theme>("light");
export const compareRun = signal<string | null>(null);
export const compareStep = signal<Step | null>(null);
/** Does the view follow the last step as captures arrive? */
export const live = signal(true);
/** A step that an address asks for, until the list of steps says which recorded one that is. */
export const wantedStep = signal<Step | null>(null);
/** What an address asked for where nothing is recorded; until the user goes elsewhere. */
export const missedStep = signal<Step | null>(null);

/** The chosen run as the server described it last. */
export const summary = computed(() => summaryOf(run.value));

export function summaryOf(name: string | null): RunSummary | null {
  return runs.value?.find((candidate) => candidate.run === name) ?? null;
}

/** The chosen run as it was when its end was on screen last, or when it was chosen. */
const seen = signal<RunSummary | null>(null);

effect(() => {
  const now = summary.value;
  if (live.value || now?.run !== seen.peek()?.run) seen.value = now;
});

/** Captures that came since the page stopped following. */
export const newCaptures = computed(() => {
  const [now, before] = [summary.value, seen.value];
  return (now?.last_step ?? 0) > (before?.last_step ?? 0) ? (now?.captures ?? 0) - (before?.captures ?? 0) : 0;
});

/** Version of the chosen run, to be sent as `v`; empty before it is known. */
export const version = computed(() => summary.value?.version ?? "");

export interface RunKey {
  readonly run: string;
  readonly version: string;
}

function runKey(name: string | null): RunKey | null {
  const found = summaryOf(name);
  return found && { run: found.run, version: found.version };
}

export const sameRun = (previous: { run: string }, next: { run: string }): boolean => previous.run === next.run;

export function graphKey(name: string | null): RunKey | null {
  const found = summaryOf(name);
  return found && { run: found.run, version: found.graph };
}

const graphOf = (name: typeof run): ReadonlySignal<Answer<RunKey, Graph>> =>
  resource(
    () => graphKey(name.value),
    (key, abort) => fetchGraph(key.run, key.version, abort),
    { retain: sameRun },
  );

const stepsOf = (name: typeof run): ReadonlySignal<Answer<RunKey, Steps>> =>
  resource(
    () => runKey(name.value),
    (key, abort) => fetchSteps(key.run, key.version, abort),
    { retain: sameRun },
  );

export const graph = graphOf(run);
export const steps = stepsOf(run);

/** Counts the times that findings were asked for again because the server was still looking. */
const findingsRound = signal(0);

const findingsOf = (name: typeof run): ReadonlySignal<Answer<RunKey, Findings>> =>
  resource(
    () => {
      const key = runKey(name.value);
      return key === null || graph.value.data === null ? null : { ...key, round: findingsRound.value };
    },
    (key, abort) => fetchFindings(key.run, key.version, abort),
    { retain: sameRun },
  );

export const findings = findingsOf(run);
export const compareFindings = findingsOf(compareRun);

/** Is the server still looking for findings? One that is away is asked by `live.ts` alone. */
export const findingsPending = computed(() =>
  [findings.value, compareFindings.value].some(
    ({ data, pending, error }) => !pending && error === null && data?.pending === true,
  ),
);

export function askForFindings(): void {
  findingsRound.value += 1;
}

export const compareGraph = graphOf(compareRun);
export const compareSteps = stepsOf(compareRun);

const NO_NODES: readonly GraphNode[] = [];

/** The nodes of the chosen run in the order of every node axis; empty until known. */
export const nodes = computed(() => graph.value.data?.nodes ?? NO_NODES);

function indexByName(all: readonly GraphNode[]): ReadonlyMap<string, NodeIndex> {
  return new Map(all.map((each, index) => [each.name, index]));
}

export const nodeIndexByName = computed(() => indexByName(nodes.value));
export const compareIndexByName = computed(() => indexByName(compareGraph.value.data?.nodes ?? NO_NODES));

/** Index of the chosen node; −1 without one, or when the run has no node of that name. */
export const nodeIndex = computed(() => nodeIndexByName.value.get(node.value ?? "") ?? -1);
export const chosenNode = computed<GraphNode | null>(() => nodes.value[nodeIndex.value] ?? null);

/** Columns of the statistics of `graph`. */
export function statisticColumn(of: Graph | null, name: string): number {
  return of?.statistics.indexOf(name) ?? -1;
}

export interface SnapshotKey {
  readonly run: string;
  readonly stamp: string;
  readonly step: Step;
  readonly quantity: Quantity;
}

/**
 * Part of a cache key: changes whenever data recorded at `at` may have changed. The last step may still grow (another replica);
 * older ones are final unless another session rewrites them (a training resumed or begun anew). Use it in keys of per-step data, and
 * send `versionOf(run)` as `v`.
 */
export function stampOf(name: string, at: Step): string {
  const found = summaryOf(name);
  if (found === null) return "";
  return at === found.last_step ? found.version : found.graph + found.sessions;
}

export function versionOf(name: string): string {
  return summaryOf(name)?.version ?? "";
}

export function snapshotKey(name: string | null, at: Step | null, of: Quantity): SnapshotKey | null {
  if (name === null || at === null || summaryOf(name) === null) return null;
  return { run: name, stamp: stampOf(name, at), step: at, quantity: of };
}

const snapshotCache = new Cache<Snapshot>(
  SNAPSHOT_BYTES,
  (data) => data.statistics.byteLength + data.counts.byteLength,
);

export function loadSnapshot(key: SnapshotKey, abort: AbortSignal): Promise<Snapshot> {
  return fetchSnapshot({ ...key, v: versionOf(key.run) }, abort);
}

const SNAPSHOT_OPTIONS = {
  retain: (previous: SnapshotKey, next: SnapshotKey): boolean =>
    previous.run === next.run && previous.quantity === next.quantity,
  cache: snapshotCache,
};

/** All nodes at the current step of the chosen quantity. */
export const snapshot = resource(
  () => snapshotKey(run.value, step.value, quantity.value),
  loadSnapshot,
  SNAPSHOT_OPTIONS,
);

/** The step of the second side: `compareStep`, or the recorded step of `compareRun` that is nearest to the current one. */
export const comparedStep = computed<Step | null>(() => {
  if (compareRun.value === null) return compareStep.value;
  const recorded = compareSteps.value.data?.step;
  const aim = compareStep.value ?? step.value;
  if (recorded === undefined || recorded.length === 0 || aim === null) return null;
  return recorded[nearestCapture(recorded, aim)];
});

/** All nodes (of `compareRun`, or of the chosen run) at `comparedStep`. */
export const compareSnapshot = resource(
  () => snapshotKey(compareRun.value ?? run.value, comparedStep.value, quantity.value),
  loadSnapshot,
  SNAPSHOT_OPTIONS,
);

/** Index of the recorded step nearest to `aim` (the earlier of two equally near). −1 when nothing is recorded. */
export function nearestCapture(recorded: Float64Array, aim: Step): CaptureIndex {
  let low = 0;
  let high = recorded.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (recorded[middle] < aim) low = middle + 1;
    else high = middle;
  }
  return low > 0 && aim - recorded[low - 1] <= recorded[low] - aim ? low - 1 : high < 0 ? -1 : low;
}

/** Index of the current step among the recorded ones; −1 before they are known. */
export const capture = computed<CaptureIndex>(() => {
  const recorded = steps.value.data?.step;
  return recorded === undefined || step.value === null ? -1 : nearestCapture(recorded, step.value);
});

// An address, or another run, may name a step that isn't recorded. While the list of steps is behind the run it proves nothing.
effect(() => {
  const { key, data, pending } = steps.value;
  const [wanted, at] = [wantedStep.value, step.value];
  const aim = wanted ?? at;
  if (data === null || pending || aim === null || key?.version !== version.value) return;
  const nearest = data.step[nearestCapture(data.step, aim)];
  if (nearest === undefined) return;
  batch(() => {
    step.value = nearest;
    wantedStep.value = null;
    if (wanted !== null) missedStep.value = nearest === wanted ? null : wanted;
  });
});

// Actions.

/** A new answer of `/runs`. Keeps the user's choice; picks a run when there is none yet. */
export function receiveRuns(answer: Runs): void {
  batch(() => {
    listing.value = answer;
    if (run.peek() === null) run.value = firstChoice(answer.runs);
    followLast();
  });
}

/** The newest run with captures, else the first. */
function firstChoice(all: readonly RunSummary[]): string | null {
  const newest = [...all].sort((a, b) => (b.last_wall_time ?? 0) - (a.last_wall_time ?? 0));
  return newest[0]?.run ?? null;
}

/** Moves to the last step when following it, or when there is no step yet. */
export function followLast(): void {
  const last = summary.peek()?.last_step ?? null;
  if (last !== null && (live.peek() || (step.peek() ?? wantedStep.peek()) === null)) step.value = last;
}

/** What an address asks for: null is the last step, to be followed. Nothing is asked of the server before it is known to be recorded. */
export function askForStep(wanted: Step | null): void {
  batch(() => {
    wantedStep.value = wanted;
    if (wanted !== null && wanted !== step.peek()) step.value = null;
    setLive(wanted === null);
  });
}

export function selectRun(name: string): void {
  batch(() => {
    run.value = name;
    compareStep.value = missedStep.value = null;
    if (compareRun.peek() === name) compareRun.value = null;
    snapStep();
    followLast();
  });
}

/** Another run has other steps: stay as near as its range allows until its list of steps has arrived. */
function snapStep(): void {
  const { first_step: first, last_step: last } = summary.peek() ?? { first_step: null, last_step: null };
  const at = step.peek();
  if (at === null || first === null || last === null) return;
  step.value = Math.min(Math.max(at, first), last);
}

export function selectNode(name: string | null): void {
  node.value = name;
}

/** Goes to the recorded step nearest to `aim`. At the last step the page follows new captures, anywhere else it stops following. */
export function selectStep(aim: Step): void {
  const recorded = steps.peek().data?.step;
  const last = summary.peek()?.last_step ?? null;
  batch(() => {
    missedStep.value = null;
    step.value = recorded === undefined || recorded.length === 0 ? aim : recorded[nearestCapture(recorded, aim)];
    live.value = step.peek() === last;
  });
}

/** Goes `count` captures forwards or backwards, and stops at the ends. */
export function moveCapture(count: number): void {
  const recorded = steps.peek().data?.step;
  if (recorded === undefined || recorded.length === 0) return;
  const index = Math.min(Math.max(capture.peek() + count, 0), recorded.length - 1);
  selectStep(recorded[index]);
}

export function setQuantity(chosen: Quantity): void {
  quantity.value = chosen;
}

export function setStatistic(chosen: string): void {
  statistic.value = chosen;
}

export function setView(chosen: View): void {
  view.value = chosen;
}

export function setTheme(chosen: Theme): void {
  theme.value = chosen;
}

/** A second run to stand beside the first; null: none. */
export function setCompareRun(name: string | null): void {
  batch(() => {
    compareRun.value = name === run.peek() ? null : name;
    compareStep.value = null;
  });
}

/** A second step to stand beside the current one; null: none (or, with a second run, the nearest one). */
export function setCompareStep(chosen: Step | null): void {
  compareStep.value = chosen;
}

export function setLive(follow: boolean): void {
  batch(() => {
    live.value = follow;
    if (follow) wantedStep.value = missedStep.value = null;
    followLast();
  });
}
