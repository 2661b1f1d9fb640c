import { beforeEach, describe, expect, test, vi } from "vitest";
import type * as Module from "./state";
import type { RunSummary, Runs } from "./types";

type State = typeof Module;
let state: State;

beforeEach(async () => {
  vi.resetModules();
  // The server never answers: what is tested here is what follows without it.
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
  vi.stubGlobal("document", { baseURI: "http://localhost/data/plugin/tb_activations/" });
  state = await import("./state");
});

function runOf(name: string, last: number, more: Partial<RunSummary> = {}): RunSummary {
  const always = { nodes: 1, captures: 1, dropped: 0, problems: [], first_step: 0, last_wall_time: last };
  return { run: name, version: `v${last}`, graph: "g", sessions: "s", last_step: last, ...always, ...more };
}

function answerOf(...all: RunSummary[]): Runs {
  return { logdir: "logs", problem: null, first_steps: null, runs: all };
}

describe("the nearest capture", () => {
  const recorded = Float64Array.from([0, 25, 50, 200]);
  test.each([
    [-10, 0],
    [0, 0],
    [12, 0],
    [12.5, 0],
    [13, 1],
    [49, 2],
    [125, 2],
    [126, 3],
    [1e9, 3],
  ])("to step %d is number %d", (aim, expected) => {
    expect(state.nearestCapture(recorded, aim)).toBe(expected);
  });

  test("of no captures is none", () => {
    expect(state.nearestCapture(new Float64Array(), 5)).toBe(-1);
  });
});

describe("following the last step", () => {
  test("the first answer picks the newest run and its last step", () => {
    state.receiveRuns(answerOf(runOf("old", 10), runOf("new", 90), runOf("older", 5)));
    expect([state.run.value, state.step.value]).toEqual(["new", 90]);
  });

  test("goes on as captures arrive, until the user steps back, and again after the end was chosen", () => {
    state.receiveRuns(answerOf(runOf("r", 100)));
    state.receiveRuns(answerOf(runOf("r", 125)));
    expect(state.step.value).toBe(125);
    state.selectStep(50);
    state.receiveRuns(answerOf(runOf("r", 150)));
    expect([state.step.value, state.live.value]).toEqual([50, false]);
    state.setLive(true);
    expect(state.step.value).toBe(150);
    state.receiveRuns(answerOf(runOf("r", 175)));
    expect(state.step.value).toBe(175);
  });

  test("new data changes neither run nor node", () => {
    state.receiveRuns(answerOf(runOf("r", 100)));
    state.selectNode("a");
    state.receiveRuns(answerOf(runOf("r", 100), runOf("later", 500)));
    expect([state.run.value, state.node.value]).toEqual(["r", "a"]);
  });

  test("a run from the address stays chosen while it isn't there", () => {
    state.run.value = "gone";
    state.receiveRuns(answerOf(runOf("r", 100)));
    expect([state.run.value, state.summary.value]).toEqual(["gone", null]);
  });
});

describe("new captures", () => {
  const at = (last: number, captures: number): RunSummary => runOf("r", last, { captures });

  test("are those that came since the page stopped following; none when nothing came", () => {
    state.receiveRuns(answerOf(at(100, 5)));
    state.selectStep(50);
    expect(state.newCaptures.value).toBe(0);
    state.receiveRuns(answerOf(at(100, 5)));
    expect(state.newCaptures.value).toBe(0);
    state.receiveRuns(answerOf(at(150, 7)));
    expect(state.newCaptures.value).toBe(2);
    state.setLive(true);
    expect(state.newCaptures.value).toBe(0);
  });

  test("are counted anew for another run", () => {
    state.receiveRuns(answerOf(at(100, 5), runOf("s", 90)));
    state.selectStep(50);
    state.selectRun("s");
    expect(state.newCaptures.value).toBe(0);
  });
});

describe("another run", () => {
  test("keeps the step within what it has", () => {
    state.receiveRuns(answerOf(runOf("short", 100), runOf("long", 1000)));
    state.selectStep(700);
    state.selectRun("short");
    expect(state.step.value).toBe(100);
  });

  test("is never compared with itself", () => {
    state.receiveRuns(answerOf(runOf("a", 100), runOf("b", 100)));
    state.selectRun("a");
    state.setCompareRun("a");
    expect(state.compareRun.value).toBeNull();
    state.setCompareRun("b");
    state.selectRun("b");
    expect(state.compareRun.value).toBeNull();
  });
});

describe("the stamp of per-step data", () => {
  test("of an old step stays while captures arrive; that of the last step follows the version", () => {
    state.receiveRuns(answerOf(runOf("r", 100)));
    const [old, last] = [state.stampOf("r", 50), state.stampOf("r", 100)];
    state.receiveRuns(answerOf(runOf("r", 100, { version: "w" })));
    expect(state.stampOf("r", 50)).toBe(old);
    expect(state.stampOf("r", 100)).not.toBe(last);
  });

  test("changes with the sessions that were captured, and with the list of nodes", () => {
    state.receiveRuns(answerOf(runOf("r", 620)));
    const stamps = [state.stampOf("r", 50)];
    state.receiveRuns(answerOf(runOf("r", 620, { sessions: "t" })));
    stamps.push(state.stampOf("r", 50));
    state.receiveRuns(answerOf(runOf("r", 625, { graph: "h", sessions: "t" })));
    stamps.push(state.stampOf("r", 50));
    expect(new Set(stamps).size).toBe(3);
  });
});

/** The bytes of `/steps`: only the steps matter here. */
function stepsAnswer(recorded: readonly number[]): ArrayBuffer {
  const header: Record<string, unknown> = {};
  const count = recorded.length;
  const data = new Float64Array(7 * count);
  data.set(recorded);
  const arrays = {
    step: "F64",
    wall_time: "F64",
    epoch: "I32",
    overhead: "F32",
    loss: "F32",
    loss_scale: "F32",
    dropped: "F64",
  };
  Object.entries(arrays).forEach(([name, dtype], index) => {
    const begin = index * count * 8;
    header[name] = { dtype, shape: [count], data_offsets: [begin, begin + count * (dtype === "F64" ? 8 : 4)] };
  });
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(new Uint8Array(data.buffer), 8 + text.length);
  return bytes.buffer;
}

test("nothing is asked about a step of the address before it is known to be recorded; the nearest that is takes its place", async () => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: URL) => {
    asked.push(`${url.pathname.split("/").at(-1)} ${url.searchParams.get("step") ?? ""}`.trim());
    return url.pathname.endsWith("/steps")
      ? Promise.resolve({ ok: true, url: url.href, arrayBuffer: () => Promise.resolve(stepsAnswer([0, 25, 50, 100])) })
      : new Promise(() => undefined);
  });
  state.askForStep(70);
  state.receiveRuns(answerOf(runOf("r", 100)));
  await vi.waitFor(() => expect(state.step.value).toBe(50));
  expect(state.missedStep.value).toBe(70);
  expect(asked.filter((each) => each.startsWith("snapshot"))).toEqual(["snapshot 50"]);
  expect(state.capture.value).toBe(2);
  state.moveCapture(1);
  expect([state.step.value, state.live.value, state.missedStep.value]).toEqual([100, true, null]);
  state.moveCapture(-Infinity);
  expect([state.step.value, state.live.value]).toEqual([0, false]);
  state.askForStep(25);
  expect([state.step.value, state.live.value, state.missedStep.value]).toEqual([25, false, null]);
});
