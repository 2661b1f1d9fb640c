import { expect, test } from "vitest";
import type { Matrix, Steps } from "../types";
import { historyOfLoss } from "./history";

test("a loss has the extremes of its values in the columns of the other rows, and their marks of what isn't finite", () => {
  const step = Float64Array.of(0, 5, 10, 15, 20, 25);
  const loss = Float32Array.of(3, 2, NaN, 1.5, 9, 0.5);
  const matrix: Matrix = {
    nodes: 2,
    columns: 3,
    low: new Float32Array(6),
    high: new Float32Array(6),
    nonfinite: Uint8Array.of(0, 0, 0, 0, 1, 0),
    start: Float64Array.of(0, 10, 20),
    stop: Float64Array.of(5, 15, 20),
  };
  // The step 25 came after the history was asked for.
  const { low, high, nonfinite, start } = historyOfLoss(matrix, { step, loss } as Steps, 1);
  expect([...low]).toEqual([2, 1.5, 9]);
  expect([...high]).toEqual([3, 1.5, 9]);
  expect([...nonfinite]).toEqual([0, 1, 0]);
  expect([...start]).toEqual([0, 10, 20]);
});
