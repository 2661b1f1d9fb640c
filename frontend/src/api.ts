/*
 * One typed function per route of docs/http_api.md. The one invariant: a caller gets the documented type or an `ApiError` whose message is
 * a sentence for the user. Addresses are relative to the page's base, so that a path prefix before TensorBoard keeps working.
 */

import type {
  Findings,
  Graph,
  Histogram,
  Matrix,
  Numbers,
  Quantity,
  Runs,
  Snapshot,
  Statistics,
  Steps,
  Value,
} from "./types";
import type { Milliseconds, Step } from "./units";
import { decode, WireError } from "./wire";
import type { Decoded } from "./wire";

/** The plugin refused (`status` is HTTP's), or it could not be reached (`status` 0). */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

type Argument = string | number | undefined;
type NumbersType<T extends Numbers> = abstract new (...parameters: never[]) => T;

/** A server that takes a connection and never answers counts as away after this time. */
const TIMEOUT: Milliseconds = 30_000;

export async function fetchRuns(signal: AbortSignal): Promise<Runs> {
  return getJson<Runs>("runs", {}, signal);
}

export async function fetchGraph(run: string, v: string, signal: AbortSignal): Promise<Graph> {
  return getJson<Graph>("graph", { run, v }, signal);
}

export async function fetchFindings(run: string, v: string, signal: AbortSignal): Promise<Findings> {
  return getJson<Findings>("findings", { run, v }, signal);
}

export async function fetchSteps(run: string, v: string, signal: AbortSignal): Promise<Steps> {
  const answer = await getBinary("steps", { run, v }, signal);
  return {
    step: take(answer, "step", Float64Array).data,
    wall_time: take(answer, "wall_time", Float64Array).data,
    epoch: take(answer, "epoch", Int32Array).data,
    overhead: take(answer, "overhead", Float32Array).data,
    loss: take(answer, "loss", Float32Array).data,
    loss_scale: take(answer, "loss_scale", Float32Array).data,
    dropped: take(answer, "dropped", Float64Array).data,
  };
}

/** All nodes at one recorded step. */
export async function fetchSnapshot(
  { run, step, quantity, v }: { run: string; step: Step; quantity: Quantity; v: string },
  signal: AbortSignal,
): Promise<Snapshot> {
  const answer = await getBinary("snapshot", { run, step, quantity, v }, signal);
  const statistics = take(answer, "statistics", Float32Array);
  const [nodes, columns] = statistics.shape;
  return { nodes, columns, statistics: statistics.data, counts: take(answer, "counts", Float64Array).data };
}

/** One statistic of all nodes over all steps, in at most `columns` columns. */
export async function fetchMatrix(
  query: { run: string; quantity: Quantity; statistic: string; columns?: number; v: string },
  signal: AbortSignal,
): Promise<Matrix> {
  const answer = await getBinary("matrix", query, signal);
  const low = take(answer, "low", Float32Array);
  const [nodes, columns] = low.shape;
  return {
    nodes,
    columns,
    low: low.data,
    high: take(answer, "high", Float32Array).data,
    nonfinite: take(answer, "nonfinite", Uint8Array).data,
    start: take(answer, "start", Float64Array).data,
    stop: take(answer, "stop", Float64Array).data,
  };
}

/** One node over all its steps; `rank` picks one replica. */
export async function fetchStatistics(
  query: { run: string; node: string; quantity: Quantity; rank?: number; v: string },
  signal: AbortSignal,
): Promise<Statistics> {
  const answer = await getBinary("statistics", query, signal);
  const statistics = take(answer, "statistics", Float32Array);
  const [captures, columns] = statistics.shape;
  return {
    captures,
    columns,
    step: take(answer, "step", Float64Array).data,
    statistics: statistics.data,
    counts: take(answer, "counts", Float64Array).data,
  };
}

export async function fetchHistogram(
  query: { run: string; node: string; quantity: Quantity; columns?: number; v: string },
  signal: AbortSignal,
): Promise<Histogram> {
  const answer = await getBinary("histogram", query, signal);
  const counts = take(answer, "counts", Float32Array);
  const [columns, bins] = counts.shape;
  return {
    columns,
    bins,
    counts: counts.data,
    start: take(answer, "start", Float64Array).data,
    stop: take(answer, "stop", Float64Array).data,
    range: take(answer, "range", Float32Array).data,
    elements: take(answer, "elements", Float64Array).data,
  };
}

/** The sample kept at one step; an `ApiError` with status 404 says the nearest step that has one. */
export async function fetchValue(
  query: { run: string; node: string; step: Step; quantity: Quantity; v: string },
  signal: AbortSignal,
): Promise<Value> {
  const answer = await getBinary("value", query, signal);
  const value = answer.arrays.get("value");
  if (value === undefined) throw unexpected("value");
  return {
    ...value,
    elements: Number(answer.metadata.elements),
    batch_axis: answer.metadata.batch_axis === "0" ? 0 : null,
  };
}

function take<T extends Numbers>(
  { arrays }: Decoded,
  name: string,
  type: NumbersType<T>,
): { data: T; shape: readonly number[] } {
  const array = arrays.get(name);
  if (!(array?.data instanceof type)) throw unexpected(name);
  return { data: array.data, shape: array.shape };
}

function unexpected(name: string): ApiError {
  return new ApiError(
    0,
    `The answer of the plugin lacks the array "${name}". Reload the page: its version may have changed.`,
  );
}

async function getJson<T>(route: string, query: Record<string, Argument>, signal: AbortSignal): Promise<T> {
  const response = await get(route, query, signal);
  return readBody(response, async () => (await response.json()) as T);
}

async function getBinary(route: string, query: Record<string, Argument>, signal: AbortSignal): Promise<Decoded> {
  const response = await get(route, query, signal);
  return readBody(response, async () => decode(await response.arrayBuffer()));
}

async function get(route: string, query: Record<string, Argument>, signal: AbortSignal): Promise<Response> {
  const url = new URL(route, document.baseURI);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) });
  } catch (error) {
    signal.throwIfAborted();
    throw new ApiError(0, "TensorBoard doesn't answer.", { cause: error });
  }
  if (!response.ok) throw new ApiError(response.status, (await response.text()).slice(0, 1000));
  return response;
}

async function readBody<T>(response: Response, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    const detail = error instanceof WireError ? ` ${error.message}` : "";
    throw new ApiError(0, `The answer to ${new URL(response.url).pathname} can't be read.${detail}`, { cause: error });
  }
}
