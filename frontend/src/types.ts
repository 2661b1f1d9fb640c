/*
 * The answers of the plugin, as docs/http_api.md describes them. JSON answers keep their field names; binary answers are the
 * decoded arrays with their extents. The one invariant: a name here is the name in the HTTP API, in the format and in Python.
 */

import type { NodeIndex, Seconds, Step } from "./units";

export const QUANTITIES = ["value", "gradient", "update"] as const;
export const STATES = ["materialized", "available", "unreachable"] as const;
export const KINDS = ["input", "layer", "op", "probe", "variable", "loss"] as const;
export const SEVERITIES = ["error", "warning", "note"] as const;

export type Quantity = (typeof QUANTITIES)[number];
export type State = (typeof STATES)[number];
export type Kind = (typeof KINDS)[number];
export type Severity = (typeof SEVERITIES)[number];

/** One run of `GET /runs`. */
export interface RunSummary {
  readonly run: string;
  /** Changes whenever anything of the run changed. */
  readonly version: string;
  /** Changes when the list of nodes or its reasons changed. */
  readonly graph: string;
  /** Changes when what was recorded at a step may be another: a training was resumed, or begun anew. */
  readonly sessions: string;
  readonly nodes: number;
  readonly captures: number;
  readonly first_step: Step | null;
  readonly last_step: Step | null;
  readonly last_wall_time: Seconds | null;
  readonly dropped: number;
  readonly problems: readonly string[];
}

/** `GET /runs`. */
export interface Runs {
  readonly logdir: string;
  readonly problem: string | null;
  /** Code that records something, where nothing is. */
  readonly first_steps: { readonly fit: string; readonly loop: string } | null;
  readonly runs: readonly RunSummary[];
}

/** The user's line that made a node. */
export interface Source {
  readonly file: string;
  readonly line: number;
  readonly function: string;
}

/** Stands in the words of a reason for the name of the node. */
export const NAME = "\0";

/** One quantity of nodes that have it in common; the words stand there when it has a reason, with `NAME` for the name of the node. */
export interface QuantityState {
  readonly state: State;
  readonly reason: string | null;
  readonly captures: number;
  readonly sampled: boolean;
  readonly title?: string;
  readonly sentence?: string;
  readonly remedy?: string;
  readonly code?: string;
}

/** A vertex of the graph. */
export interface GraphNode {
  readonly name: string;
  readonly kind: Kind;
  readonly class: string;
  readonly dtype: string | null;
  readonly shape: readonly (number | null)[] | null;
  readonly trainable: boolean | null;
  readonly activation: string | null;
  readonly source: Source | null;
  readonly inputs: readonly NodeIndex[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly state: State;
  readonly quantities: Readonly<Partial<Record<Quantity, QuantityState>>>;
}

/** `GET /graph`. */
export interface Graph {
  readonly run: string;
  readonly graph: string;
  readonly model: { readonly name: string; readonly class: string } | null;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  /** Columns of `Snapshot.statistics` and `Statistics.statistics`, in order. */
  readonly statistics: readonly string[];
  readonly nodes: readonly GraphNode[];
}

/** `GET /steps`: one entry per recorded step, ascending and unique. */
export interface Steps {
  readonly step: Float64Array;
  readonly wall_time: Float64Array;
  readonly epoch: Int32Array;
  /** Seconds that the capture itself took on the training thread. */
  readonly overhead: Float32Array;
  /** NaN when none. */
  readonly loss: Float32Array;
  readonly loss_scale: Float32Array;
  /** Steps that were due and were lost. */
  readonly dropped: Float64Array;
}

/** Columns of every `counts` array: elements (−1: nothing recorded), NaN, +Inf, −Inf. */
export const COUNTS = 4;
export const ELEMENTS = 0;
export const NAN_COUNT = 1;
export const POS_INF_COUNT = 2;
export const NEG_INF_COUNT = 3;

/** `GET /snapshot`: all nodes at one step. Row-major. */
export interface Snapshot {
  readonly nodes: number;
  readonly columns: number;
  /** float32[nodes, columns]. */
  readonly statistics: Float32Array;
  /** float64[nodes, 4], see `COUNTS`. */
  readonly counts: Float64Array;
}

/** `GET /matrix`: one statistic of all nodes, reduced to `columns` columns of neighbouring captures. Row-major. */
export interface Matrix {
  readonly nodes: number;
  readonly columns: number;
  /** float32[nodes, columns]: the smallest of the column; NaN: nothing recorded. */
  readonly low: Float32Array;
  readonly high: Float32Array;
  /** uint8[nodes, columns]: 1 when some element was NaN or Inf. */
  readonly nonfinite: Uint8Array;
  /** First and last step of each column. */
  readonly start: Float64Array;
  readonly stop: Float64Array;
}

/** `GET /statistics`: one node over all its steps. Row-major. */
export interface Statistics {
  readonly captures: number;
  readonly columns: number;
  readonly step: Float64Array;
  /** float32[captures, columns]. */
  readonly statistics: Float32Array;
  /** float64[captures, 4], see `COUNTS`. */
  readonly counts: Float64Array;
}

/** `GET /histogram`. Row-major; bin `b` of column `c` spans an equal part of `range[c]`. */
export interface Histogram {
  readonly columns: number;
  readonly bins: number;
  readonly start: Float64Array;
  readonly stop: Float64Array;
  /** float32[columns, 2]: low and high edge. */
  readonly range: Float32Array;
  /** float32[columns, bins]. */
  readonly counts: Float32Array;
  /** Elements of the whole tensor; more than the counts' sum when the histogram is sampled. */
  readonly elements: Float64Array;
}

/** An array of numbers as a browser holds it. 64-bit integers come as float64 (exact to 2^53), halves as float32, bools as 0 and 1. */
export type Numbers =
  Float32Array | Float64Array | Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array;

/** One array of a binary answer. */
export interface Tensor {
  /** As the file names it: `F32`, `F16`, `BF16`, `I64`, `BOOL`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Numbers;
  /** The little-endian bytes in the tensor's own dtype, for an exact export. */
  readonly bytes: Uint8Array;
}

/** `GET /value`: the sample kept at one step. */
export interface Value extends Tensor {
  /** Elements of the whole tensor, of which this is a part. */
  readonly elements: number;
  readonly batch_axis: 0 | null;
  /** How far apart in the tensor what is kept lies, along each axis. */
  readonly strides: readonly number[];
}

/** One finding of `GET /findings`. */
export interface Finding {
  readonly rule: string;
  readonly title: string;
  /** Empty when it concerns the whole run. */
  readonly node: string;
  readonly quantity: Quantity;
  readonly statistic: string;
  readonly first_step: Step;
  /** Null while it lasts. */
  readonly last_step: Step | null;
  readonly severity: Severity;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly sentence: string;
  readonly remedy: string;
  readonly code: string;
  /** `"<rule> at <node> since step <first step>"` of the finding that this one likely follows from. */
  readonly consequence_of: string | null;
}

/** One operation of `GET /operations`. */
export interface Operation {
  readonly name: string;
  readonly type: string;
  /** Of its first output; null where it has none. */
  readonly dtype: string | null;
  readonly shape: readonly (number | null)[] | null;
  readonly source: Source | null;
  readonly inputs: readonly string[];
}

/** `GET /operations`: the first of those that were found. */
export interface Operations {
  readonly total: number;
  readonly found: number;
  readonly operations: readonly Operation[];
}

/** `GET /findings`. */
export interface Findings {
  readonly run: string;
  readonly pending: boolean;
  readonly findings: readonly Finding[];
  readonly quiet: readonly { readonly rule: string; readonly title: string }[];
  readonly checked_captures: number;
  /** Rules that failed, one sentence each. */
  readonly problems: readonly string[];
}
