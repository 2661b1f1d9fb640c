// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import { receiveRuns, run, selectStep, setCompareRun, setCompareStep } from "../state";
import { otherSide } from "./other_side";
import { type Minus, minus, standBeside } from "./state";

const STEPS = Float64Array.of(0, 10, 20, 30);

beforeEach(() => {
  const facts = {
    graph: "g",
    sessions: "s",
    nodes: 1,
    captures: 4,
    first_step: 0,
    last_wall_time: 1,
    dropped: 0,
    problems: [],
  };
  const runs = ["a", "b"].map((name) => ({ ...facts, run: name, version: "1", last_step: 30 }));
  receiveRuns({ logdir: "", problem: null, first_steps: null, runs });
  run.value = "a";
  setCompareRun(null);
  setCompareStep(null);
  selectStep(20);
});

const against = (chosen: Minus, step: number): ReturnType<typeof otherSide> => {
  minus.value = chosen;
  return otherSide("node", "gradient", step, STEPS);
};

test("is the capture before, or the first one", () => {
  expect(against("nothing", 20)).toEqual({ key: null, reason: "" });
  expect(against("previous", 20).key).toMatchObject({ run: "a", node: "node", quantity: "gradient", step: 10 });
  expect(against("first", 20).key).toMatchObject({ run: "a", step: 0 });
});

test("is never the value itself: words say why there is none", () => {
  for (const chosen of ["previous", "first"] as const) {
    expect(against(chosen, 0)).toEqual({ key: null, reason: "This is the first capture." });
  }
  setCompareStep(20);
  expect(against("compared", 20)).toEqual({ key: null, reason: "The step that is compared is the one on show." });
});

test("is what is compared, and where nothing is, words say so", () => {
  for (const chosen of ["compared", "beside"] as const) {
    setCompareStep(null);
    expect(against(chosen, 20)).toEqual({
      key: null,
      reason: "Nothing is compared: choose a run or step at the top.",
    });
    setCompareStep(10);
    expect(against(chosen, 20).key).toMatchObject({ run: "a", step: 10 });
  }
});

test("what is compared stands beside the value, unless something else was asked for", () => {
  const after = (chosen: Minus, compared: boolean): Minus => {
    minus.value = chosen;
    standBeside(compared);
    return minus.value;
  };
  expect(["nothing", "previous", "compared"].map((chosen) => after(chosen as Minus, true))).toEqual([
    ...["beside", "previous", "compared"],
  ]);
  expect(["beside", "previous", "nothing"].map((chosen) => after(chosen as Minus, false))).toEqual([
    ...["nothing", "previous", "nothing"],
  ]);
});
