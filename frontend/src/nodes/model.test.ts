// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from "vitest";
import type * as State from "../state";
import type { RunSummary } from "../types";
import type * as Model from "./model";

type Numbers = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Float64Array | Int32Array }>
>;

/** A binary answer of the server. */
function bytesOf(arrays: Numbers): ArrayBuffer {
  const header: Record<string, unknown> = {};
  let size = 0;
  for (const [name, { shape, data }] of Object.entries(arrays)) {
    const dtype = data instanceof Float64Array ? "F64" : data instanceof Int32Array ? "I32" : "F32";
    header[name] = { dtype, shape, data_offsets: [size, size + data.byteLength] };
    size += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padding = (8 - (text.length % 8)) % 8;
  const bytes = new Uint8Array(8 + text.length + padding + size).fill(32);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length + padding), true);
  bytes.set(text, 8);
  let at = 8 + text.length + padding;
  for (const { data } of Object.values(arrays)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes.buffer;
}

const NODES = ["a", "b", "loss"];

/** Run "second" names its columns in another order and its nodes in another order too. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  first: ["mean", "std", "l2_norm"],
  second: ["l2_norm", "mean", "std"],
};
const ORDER: Readonly<Record<string, readonly string[]>> = { first: NODES, second: [...NODES].reverse() };

/** A number that tells run, quantity, node, statistic and step. */
function numberOf(run: string, quantity: string, node: string, statistic: string, step: number): number {
  const tens = 1 + NODES.indexOf(node) + 3 * ["mean", "std", "l2_norm"].indexOf(statistic);
  if (node === "loss" && statistic === "std") return 0;
  return (
    tens * (quantity === "update" ? 1 : 10) + (run === "second" ? 0.5 * (1 + NODES.indexOf(node)) : 0) + step / 100
  );
}

/** All nodes have it in common. */
const STATE = { state: "materialized", reason: null, captures: 2, sampled: false };

function answer(url: URL): unknown {
  const run = url.searchParams.get("run") ?? "";
  const [columns, order] = [COLUMNS[run], ORDER[run]];
  switch (url.pathname.split("/").at(-1) ?? "") {
    case "graph":
      return {
        run,
        graph: "g",
        statistics: columns,
        states: [STATE],
        nodes: order.map((name) => ({ name, shape: name === "loss" ? [] : [2], quantities: { value: 0 } })),
      };
    case "snapshot": {
      const [quantity, step] = [url.searchParams.get("quantity") ?? "", Number(url.searchParams.get("step"))];
      const cells = order.flatMap((node) => columns.map((name) => numberOf(run, quantity, node, name, step)));
      return bytesOf({
        counts: { shape: [3, 4], data: Float64Array.from(NODES.flatMap(() => [2, 0, 0, 0])) },
        statistics: { shape: [3, 3], data: Float32Array.from(cells) },
      });
    }
    case "steps": {
      const times = { shape: [2], data: new Float64Array(2) };
      const losses = { shape: [2], data: new Float32Array(2) };
      return bytesOf({
        step: { shape: [2], data: Float64Array.of(0, 100) },
        wall_time: times,
        dropped: times,
        epoch: { shape: [2], data: new Int32Array(2) },
        overhead: losses,
        loss: losses,
        loss_scale: losses,
      });
    }
    default:
      return null;
  }
}

let state: typeof State;
let model: typeof Model;

beforeEach(async () => {
  vi.resetModules();
  window.matchMedia = vi.fn(() => ({
    matches: false,
    addEventListener: () => undefined,
  })) as unknown as typeof window.matchMedia;
  vi.stubGlobal("fetch", (url: URL) => {
    const given = answer(url);
    if (given === null) return new Promise(() => undefined);
    const body = { json: () => Promise.resolve(given), arrayBuffer: () => Promise.resolve(given) };
    return Promise.resolve({ ok: true, url: url.href, ...body });
  });
  state = await import("../state");
  model = await import("./model");
  const always = {
    version: "v",
    graph: "g",
    sessions: "s",
    nodes: 3,
    captures: 2,
    dropped: 0,
    problems: [],
    first_step: 0,
    last_step: 100,
  };
  const runs = ["first", "second"].map((run, index): RunSummary => ({ ...always, run, last_wall_time: 9 - index }));
  state.receiveRuns({ logdir: "l", problem: null, first_steps: null, runs });
});

const expected = (quantity: string, node: string, statistic: string): number =>
  numberOf("first", quantity, node, statistic, 100) - numberOf("second", quantity, node, statistic, 100);

const compare = (): void => state.setCompareRun("second");

test("a list ordered by the update ratio has its numbers, whatever statistic is shown", async () => {
  state.setQuantity("update");
  model.sort.value = { by: "update_ratio", descending: true };
  await vi.waitFor(() => expect(model.rows.value[0].item.depth).toBe(0));
  const ratio = (node: string): number =>
    numberOf("first", "update", node, "l2_norm", 100) / numberOf("first", "value", node, "l2_norm", 100);
  await vi.waitFor(() =>
    expect(model.rows.value.map((row) => row.item.path)).toEqual([...NODES].sort((a, b) => ratio(b) - ratio(a))),
  );
  expect([...(model.numbersOf("update_ratio") ?? [])].every(Number.isFinite)).toBe(true);
});

test("differences read each run by its own columns and its own list of nodes; of a scalar they compare the value", async () => {
  compare();
  await vi.waitFor(() => expect(model.differences.value).not.toBeNull());
  const [a, b, loss] = [...(model.differences.value ?? [])];
  expect(a).toBeCloseTo(expected("value", "a", "std"), 4);
  expect(b).toBeCloseTo(expected("value", "b", "std"), 4);
  expect(loss).toBeCloseTo(expected("value", "loss", "mean"), 4);
});

test("what differs most comes first while something is compared, and the tree is back afterwards", async () => {
  compare();
  model.orderByDifference(true);
  await vi.waitFor(() => expect(model.rows.value.map((row) => row.item.path)).toEqual(["loss", "b", "a"]));
  model.orderByDifference(false);
  expect(model.sort.value).toBeNull();
  model.sort.value = { by: "mean", descending: false };
  model.orderByDifference(true);
  model.orderByDifference(false);
  expect(model.sort.value).toEqual({ by: "mean", descending: false });
});

test("the compared update ratio is that of the other run's own values", async () => {
  state.setQuantity("update");
  state.setStatistic("update_ratio");
  compare();
  const ratio = (run: string): number =>
    numberOf(run, "update", "a", "l2_norm", 100) / numberOf(run, "value", "a", "l2_norm", 100);
  await vi.waitFor(() => expect(model.differences.value?.[0]).toBeCloseTo(ratio("first") - ratio("second"), 6));
});

test("a quantity of a node is the state that it has in common with others", async () => {
  await vi.waitFor(() => expect(state.nodes.value).toHaveLength(3));
  for (const { quantities } of state.nodes.value) expect(quantities).toEqual({ value: STATE });
});
