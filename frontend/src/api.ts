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
  Operations,
  Quantity,
  QuantityState,
  Runs,
  Snapshot,
  Statistics,
  Steps,
  Value,
} from "./types";
import type { Milliseconds, Step } from "./units";
import { decode, WireError } from "./wire";
import type { Decoded } from "./wire";

type Argument = string | number | undefined;
type NumbersType<T extends Numbers> = abstract new (...parameters: never[]) => T;

/** A server that takes a connection and never answers counts as away after this time. */
const TIMEOUT: Milliseconds = 30_000;

export async function fetchRuns(signal: AbortSignal): Promise<Runs> {
  return getJson<Runs>("runs", {}, signal);
}

/** A quantity of a node arrives as its place among all states. */
export async function fetchGraph(run: string, v: string, signal: AbortSignal): Promise<Graph> {
  const graph = await getJson<Graph & { readonly states: readonly QuantityState[] }>("graph", { run, v }, signal);
  for (const { quantities } of graph.nodes) {
    const places = quantities as Record<Quantity, unknown>;
    for (const of of Object.keys(places) as Quantity[]) places[of] = graph.states[places[of] as number];
  }
  return graph;
}

/** The operations of the step whose name or type contains `text`. */
export async function fetchOperations(run: string, text: string, signal: AbortSignal): Promise<Operations> {
  return getJson<Operations>("operations", { run, text }, signal);
}

export async function fetchFindings(run: string, v: string, signal: AbortSignal): Promise<Findings> {
  return getJson<Findings>("findings", { run, v }, signal);
}

export async function fetchSteps(run: string, v: string, signal: AbortSignal): Promise<Steps> {
  return takeAll(await getBinary("steps", { run, v }, signal), {
    step: Float64Array,
    wall_time: Float64Array,
    epoch: Int32Array,
    overhead: Float32Array,
    loss: Float32Array,
    loss_scale: Float32Array,
    dropped: Float64Array,
  });
}

const NUMBERS = { statistics: Float32Array, counts: Float64Array };
const PLACES = { start: Float64Array, stop: Float64Array };

/** All nodes at one recorded step. */
export async function fetchSnapshot(
  { run, step, quantity, v }: { run: string; step: Step; quantity: Quantity; v: string },
  signal: AbortSignal,
): Promise<Snapshot> {
  const answer = await getBinary("snapshot", { run, step, quantity, v }, signal);
  const [nodes, columns] = shapeOf(answer, "statistics");
  return { nodes, columns, ...takeAll(answer, NUMBERS) };
}

/** One statistic of all nodes over all steps, or those from `first_step` to `last_step`, in at most `columns` columns. */
export async function fetchMatrix(
  query: {
    run: string;
    quantity: Quantity;
    statistic: string;
    columns?: number;
    first_step?: Step;
    last_step?: Step;
    v: string;
  },
  signal: AbortSignal,
): Promise<Matrix> {
  const answer = await getBinary("matrix", query, signal);
  const [nodes, columns] = shapeOf(answer, "low");
  const cells = { low: Float32Array, high: Float32Array, nonfinite: Uint8Array };
  return { nodes, columns, ...takeAll(answer, { ...cells, ...PLACES }) };
}

/** One node over all its steps; `rank` picks one replica. */
export async function fetchStatistics(
  query: { run: string; node: string; quantity: Quantity; rank?: number; v: string },
  signal: AbortSignal,
): Promise<Statistics> {
  const answer = await getBinary("statistics", query, signal);
  const [captures, columns] = shapeOf(answer, "statistics");
  return { captures, columns, ...takeAll(answer, { ...NUMBERS, step: Float64Array }) };
}

export async function fetchHistogram(
  query: { run: string; node: string; quantity: Quantity; columns?: number; v: string },
  signal: AbortSignal,
): Promise<Histogram> {
  const answer = await getBinary("histogram", query, signal);
  const [columns, bins] = shapeOf(answer, "counts");
  const bars = { counts: Float32Array, range: Float32Array, elements: Float64Array };
  return { columns, bins, ...takeAll(answer, { ...bars, ...PLACES }) };
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
    strides: answer.metadata.strides.split(",").map(Number),
  };
}

type Types = Readonly<Record<string, NumbersType<Numbers>>>;
type Taken<T extends Types> = { readonly [Name in keyof T]: InstanceType<T[Name]> };

/** The arrays of an answer by their names, each of the type that is expected. */
function takeAll<T extends Types>({ arrays }: Decoded, types: T): Taken<T> {
  const taken = Object.entries(types).map(([name, type]) => {
    const data = arrays.get(name)?.data;
    if (!(data instanceof type)) throw unexpected(name);
    return [name, data] as const;
  });
  return Object.fromEntries(taken) as Taken<T>;
}

/** The two extents of an array; of one that isn't there `takeAll` speaks. */
function shapeOf({ arrays }: Decoded, name: string): readonly number[] {
  return arrays.get(name)?.shape ?? [];
}

function unexpected(name: string): Error {
  return new Error(`The answer lacks "${name}". Reload the page: the plugin may have changed.`);
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
    throw new Error("TensorBoard doesn't answer.", { cause: error });
  }
  if (!response.ok) throw new Error((await response.text()).slice(0, 1000));
  return response;
}

async function readBody<T>(response: Response, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DOMException) throw error;
    const detail = error instanceof WireError ? ` ${error.message}` : "";
    throw new Error(`The answer to ${new URL(response.url).pathname} can't be read.${detail}`, { cause: error });
  }
}
