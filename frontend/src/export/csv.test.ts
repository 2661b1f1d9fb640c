import { expect, test } from "vitest";
import { historyOf } from "../charts/history";
import { csvField, histogramCsv, historyCsv, tensorCsv } from "./csv";

test("no text of a run becomes a formula, and numbers stay numbers", () => {
  expect(["=1+1", "+cmd", "@x", "-1.5", "-inf", 'a,"b"', "plain"].map(csvField)).toEqual([
    "'=1+1",
    "'+cmd",
    "'@x",
    "-1.5",
    "-inf",
    '"a,""b"""',
    "plain",
  ]);
});

test("a history has one line per capture, in full precision", () => {
  const history = historyOf(
    {
      captures: 2,
      columns: 2,
      step: Float64Array.of(0, 25),
      statistics: Float32Array.of(0.1, 1, NaN, Infinity),
      counts: Float64Array.of(4, 0, 0, 0, 4, 1, 2, 0),
    },
    ["mean", "std"],
  );
  expect(historyCsv(history)).toBe(
    "step,mean,std,elements,nan_count,pos_inf_count,neg_inf_count\r\n0,0.1,1,4,0,0,0\r\n25,nan,inf,4,1,2,0\r\n",
  );
});

test("a tensor is written with the index along every axis, in C order", () => {
  const tensor = { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 0.1, NaN, -Infinity) };
  expect(tensorCsv(tensor, ["example", "unit"], [1, 1])).toBe(
    "example,unit,value\r\n0,0,1\r\n0,1,0.1\r\n1,0,nan\r\n1,1,-inf\r\n",
  );
  // Every third row of it was kept.
  expect(tensorCsv(tensor, ["row", "unit"], [3, 1])).toBe(
    "row,unit,value\r\n0,0,1\r\n0,1,0.1\r\n3,0,nan\r\n3,1,-inf\r\n",
  );
  expect(tensorCsv({ dtype: "F32", shape: [], data: Float32Array.of(2.5) }, [], [])).toBe("value\r\n2.5\r\n");
});

test("a histogram has one line per column of the picture, and a share below the lower edge of each bin", () => {
  const histogram = {
    ...{ columns: 2, start: Float64Array.of(0, 20), stop: Float64Array.of(10, 20), low: -1, high: 1, bins: 4 },
    ...{ shares: Float32Array.of(0, 0.25, 0.75, 0, 0.1, 0.9, 0, 0), counted: new Float64Array(2) },
    elements: new Float64Array(2),
  };
  expect(histogramCsv(histogram)).toBe(
    "first_step,last_step,-1,-0.5,0,0.5\r\n0,10,0,0.25,0.75,0\r\n20,20,0.1,0.9,0,0\r\n",
  );
});
