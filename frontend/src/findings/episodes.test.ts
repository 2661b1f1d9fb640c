// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Finding } from "../types";
import { episodesOf } from "./episodes";
import { shownStatistic } from "./evidence";

function finding(rule: string, node: string, step: number): Finding {
  return { rule, node, quantity: "value", first_step: step, severity: "error" } as Finding;
}

const rows = (mine: readonly Finding[], theirs: readonly Finding[] | null = null, pending = false): string[] =>
  episodesOf({ run: "A", findings: mine, pending }, theirs && { run: "B", findings: theirs, pending: false }).map(
    ({ run, all, where }) =>
      `${run}: ${all[0].rule} ${all[0].node} ${all.map((each) => each.first_step).join(" ")} ${where}`.trim(),
  );

test("what came and went again is one row, from the first time on, at the place of what the report has first", () => {
  const all = [finding("r", "y", 50), finding("r", "x", 30), finding("s", "z", 1), finding("r", "x", 10)];
  expect(rows(all)).toEqual(["A: r y 50", "A: r x 10 30", "A: s z 1"]);
});

test("of two runs, each row says where it is, and what only the other has is there too", () => {
  const mine = [finding("r", "x", 10), finding("r", "y", 20)];
  expect(rows(mine, [finding("r", "x", 99), finding("s", "z", 30)])).toEqual([
    "A: r x 10 also in B",
    "A: r y 20 only in A",
    "B: s z 30 only in B",
  ]);
  expect(rows(mine, [])).toEqual(["A: r x 10 only in A", "A: r y 20 only in A"]);
  expect(rows([], mine, true), "while one is still looked at").toEqual(["B: r x 10 in B", "B: r y 20 in B"]);
});

test("evidence that is no column of a run is shown by what contains it", () => {
  const shown = ["pos_inf_count", "neg_inf_count", "nan_count", "update_ratio", "std"].map((statistic) =>
    shownStatistic({ statistic } as Finding),
  );
  expect(shown).toEqual(["inf_count", "inf_count", "nan_count", "update_ratio", "std"]);
});
