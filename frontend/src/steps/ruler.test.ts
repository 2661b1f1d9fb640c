// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import type { Finding, Steps } from "../types";
import { makePalette } from "../draw/palette";
import { RecordingPen } from "../draw/recording_pen";
import { findingsAt, paintPlace, paintRuler, rulerScale, stepAt } from "./ruler";

const palette = makePalette((name) => name);

function stepsOf(recorded: readonly number[], dropped: readonly number[] = []): Steps {
  const count = recorded.length;
  return {
    step: Float64Array.from(recorded),
    wall_time: new Float64Array(count),
    epoch: new Int32Array(count),
    overhead: new Float32Array(count),
    loss: new Float32Array(count).fill(NaN),
    loss_scale: new Float32Array(count),
    dropped: Float64Array.from(dropped),
  };
}

describe("snapping", () => {
  test("every pixel leads to the recorded step that is nearest to it", () => {
    const steps = stepsOf([0, 1, 2, 3, 400, 405, 4800]);
    const scale = rulerScale(4800, 900);
    for (let x = 0; x <= 900; x += 1) {
      const at = stepAt(steps, x, 900);
      const distance = (step: number): number => Math.abs(scale.step(x) - step);
      expect(distance(at)).toBe(Math.min(...Array.from(steps.step, distance)));
    }
  });

  test("stays exact with far more captures than pixels", () => {
    const recorded = Array.from({ length: 100_000 }, (_, index) => index * 7);
    const steps = stepsOf(recorded);
    const scale = rulerScale(recorded[recorded.length - 1], 1000);
    for (const index of [0, 1, 12_345, 99_998, 99_999])
      expect(stepAt(steps, scale.x(recorded[index]), 1000)).toBe(recorded[index]);
  });

  test("a run with one capture at step 0 has one place", () => {
    expect(stepAt(stepsOf([0]), 500, 1000)).toBe(0);
  });

  test("outside of the scale the ends hold", () => {
    const steps = stepsOf([10, 20, 30]);
    expect([stepAt(steps, -500, 300), stepAt(steps, 5000, 300)]).toEqual([10, 30]);
  });
});

describe("marks of findings", () => {
  const found = [
    { first_step: 100, severity: "note" },
    { first_step: 100, severity: "error" },
    { first_step: 900, severity: "note" },
  ] as Finding[];
  const model = { steps: stepsOf([0, 1000]), step: 0, compareStep: null, findings: found };
  const x = rulerScale(1000, 800).x(100);

  test("of several at one step one mark leads to all, below the marks none is hit", () => {
    expect(findingsAt(model, x + 3, 8, 800)).toEqual([found[0], found[1]]);
    expect(findingsAt(model, x, 30, 800)).toEqual([]);
    expect(findingsAt(model, x + 40, 8, 800)).toEqual([]);
  });

  test("one mark has the colour of the worst, and says how many it stands for", () => {
    const pen = new RecordingPen();
    paintRuler(pen, { width: 800, height: 58 }, palette, model);
    expect(pen.of("polygon").map(({ fill }) => fill.color)).toEqual([palette.severity.error, palette.severity.note]);
    expect(pen.texts()).toContain("2");
  });

  test("the handle lies below them, also at the step to which they lead", () => {
    const [marks, place] = [new RecordingPen(), new RecordingPen()];
    paintRuler(marks, { width: 800, height: 58 }, palette, model);
    paintPlace(place, { width: 800, height: 58 }, palette, { ...model, step: 100 });
    const heights = (pen: RecordingPen): number[] =>
      pen.of("polygon").flatMap(({ points }) => Array.from(points).filter((_, index) => index % 2 === 1));
    expect(Math.min(...heights(place))).toBeGreaterThan(Math.max(...heights(marks)));
  });
});

test("a run of five steps has whole steps on its axis, each once", () => {
  const pen = new RecordingPen();
  const steps = stepsOf([0, 1, 2, 3, 4]);
  paintPlace(pen, { width: 1200, height: 58 }, palette, { steps, step: 4, compareStep: null, findings: [] });
  expect(pen.texts().sort()).toEqual(["0", "1", "2", "3", "4"]);
});

test("the loss at the chosen step is said, also one that isn't a number; of a run that recorded none, nothing is", () => {
  const said = (loss: readonly number[], step: number): string[] => {
    const pen = new RecordingPen();
    const steps = { ...stepsOf([0, 10, 20]), loss: Float32Array.from(loss) };
    paintPlace(pen, { width: 1200, height: 58 }, palette, { steps, step, compareStep: null, findings: [] });
    return pen.texts().filter((text) => text.startsWith("loss"));
  };
  expect([0, 10, 20].flatMap((step) => said([2.5, 0.125, NaN], step))).toEqual(["loss 2.50", "loss 0.125", "loss NaN"]);
  expect(said([NaN, NaN, NaN], 10)).toEqual([]);
});
