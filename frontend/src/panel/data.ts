/*
 * What the panel asks the server for, as hooks.
 *
 * The one invariant: answers are kept by what they are (run, node, step, quantity), within a bound in bytes; while the answer for a new
 * step is under way the old one stays and is marked, and for another node it never does.
 */

import { useEffect, useMemo } from "preact/hooks";
import { fetchHistogram, fetchStatistics, fetchValue } from "../api";
import { type History, historyOf } from "../charts/history";
import { type Answer, Cache, useResource } from "../resource";
import { gapsOf, type Gap } from "../charts/timeline";
import {
  compareGraph,
  compareIndexByName,
  compareRun,
  compareSteps,
  graph,
  stampOf,
  summaryOf,
  versionOf,
} from "../state";
import type { Histogram, Quantity, Statistics, Value } from "../types";
import type { Milliseconds, Step } from "../units";

const HISTORY_BYTES = 32e6;
const HISTOGRAM_BYTES = 24e6;
const VALUE_BYTES = 96e6;
/** Wait this long at a step before its neighbours are fetched: a scrub passes by. */
const PREFETCH_DELAY: Milliseconds = 120;

export interface SeriesKey {
  readonly run: string;
  readonly version: string;
  readonly node: string;
  readonly quantity: Quantity;
}

export interface ValueKey {
  readonly run: string;
  readonly stamp: string;
  readonly node: string;
  readonly step: Step;
  readonly quantity: Quantity;
}

const sameSeries = (previous: SeriesKey | ValueKey, next: SeriesKey | ValueKey): boolean =>
  previous.run === next.run && previous.node === next.node && previous.quantity === next.quantity;

/** The bytes an array keeps alive: those of its whole buffer. */
const bytesOf = (...arrays: readonly ArrayBufferView[]): number =>
  [...new Set(arrays.map((array) => array.buffer))].reduce((sum, buffer) => sum + buffer.byteLength, 0);

const histories = new Cache<Statistics>(HISTORY_BYTES, (data) => bytesOf(data.step, data.statistics, data.counts));
const histograms = new Cache<Histogram>(HISTOGRAM_BYTES, (data) => bytesOf(data.counts, data.range, data.start));
const values = new Cache<Value>(VALUE_BYTES, (data) => bytesOf(data.data, data.bytes));

function seriesKey(run: string | null, node: string | null, quantity: Quantity): SeriesKey | null {
  const found = summaryOf(run);
  return found === null || node === null ? null : { run: found.run, version: found.version, node, quantity };
}

/** The history of one node; each run names its columns itself. */
function useHistory(key: SeriesKey | null): Answer<SeriesKey, Statistics> & { readonly history: History | null } {
  const answer = useResource(
    key,
    ({ version: v, ...query }: SeriesKey, abort) => fetchStatistics({ ...query, v }, abort),
    {
      retain: sameSeries,
      cache: histories,
    },
  );
  const names = (key?.run === compareRun.value ? compareGraph : graph).value.data?.statistics;
  const history = useMemo(
    () => (answer.data === null || names === undefined ? null : historyOf(answer.data, names)),
    [answer.data, names],
  );
  return { ...answer, history };
}

/** More columns than pixels would only be drawn over each other. */
const HISTOGRAM_COLUMNS = 400;

function useHistogram(key: SeriesKey | null): Answer<SeriesKey, Histogram> {
  return useResource(
    key,
    ({ version: v, ...query }: SeriesKey, abort) => fetchHistogram({ ...query, columns: HISTOGRAM_COLUMNS, v }, abort),
    { retain: sameSeries, cache: histograms },
  );
}

export function valueKey(
  run: string | null,
  node: string | null,
  step: Step | null,
  quantity: Quantity,
): ValueKey | null {
  if (run === null || node === null || step === null || summaryOf(run) === null) return null;
  return { run, stamp: stampOf(run, step), node, step, quantity };
}

function loadValue({ run, node, step, quantity }: ValueKey, abort: AbortSignal): Promise<Value> {
  return fetchValue({ run, node, step, quantity, v: versionOf(run) }, abort);
}

const VALUE_OPTIONS = { retain: sameSeries, cache: values };

/** The sample at a step. `neighbours` are fetched ahead once the answer is there. */
export function useValue(key: ValueKey | null, neighbours: readonly Step[] = []): Answer<ValueKey, Value> {
  const answer = useResource(key, loadValue, VALUE_OPTIONS);
  const settled = key !== null && !answer.pending && answer.data !== null;
  const wanted = settled ? neighbours.map((step) => ({ ...key, step, stamp: stampOf(key.run, step) })) : [];
  const id = JSON.stringify(wanted);
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => void prefetch(wanted, abort.signal), PREFETCH_DELAY);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [id]);
  return answer;
}

/** One after the other, so that a request for what is on screen never waits behind more than one of these. */
async function prefetch(keys: readonly ValueKey[], abort: AbortSignal): Promise<void> {
  for (const key of keys) {
    if (values.get(JSON.stringify(key)) !== undefined) continue;
    try {
      values.set(JSON.stringify(key), await loadValue(key, abort));
    } catch {
      // Nobody asked for it yet; whoever does gets the error in words.
      return;
    }
  }
}

/** The sample at a step, once: from what is kept, or from the server. */
export async function lookUpValue(
  run: string | null,
  node: string,
  step: Step | null,
  quantity: Quantity,
): Promise<Value> {
  const key = valueKey(run, node, step, quantity);
  if (key === null) throw new RangeError("Expected a run and a step. Received: none");
  return values.get(JSON.stringify(key)) ?? loadValue(key, new AbortController().signal);
}

/** History and histogram of one node and quantity of a run. */
export interface SeriesAnswer {
  readonly history: History | null;
  readonly histogram: Histogram | null;
  readonly pending: boolean;
  readonly error: Error | null;
  readonly histogramError: Error | null;
}

export function useSeries(name: string | null, node: string | null, quantity: Quantity): SeriesAnswer {
  const key = seriesKey(name, node, quantity);
  const { history, pending, error } = useHistory(key);
  const histogram = useHistogram(key);
  return { history, histogram: histogram.data, pending, error, histogramError: histogram.error };
}

/** The same node of the run that is compared with. */
export interface Compared {
  readonly run: string;
  readonly history: History;
  readonly histogram: Histogram | null;
  readonly gaps: readonly Gap[];
}

/** Undefined without a second run, or when it has no such node. */
export function useCompared(node: string, quantity: Quantity): Compared | undefined {
  const name = compareRun.value;
  const exists = compareIndexByName.value.has(node);
  const { history, histogram } = useSeries(exists ? name : null, node, quantity);
  if (name === null || history === null) return undefined;
  const recorded = compareSteps.value.data;
  return { run: name, history, histogram, gaps: recorded === null ? [] : gapsOf(recorded.step, recorded.dropped) };
}
