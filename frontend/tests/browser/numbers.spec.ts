/* The numbers on screen are those that `open_run` reads, at every place that shows numbers. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatCount, formatNumber, formatShare } from "../../src/format";
import { expectedNumber, eventually, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const { steps, nodes } = handover.runs[RUN];
const MATERIALIZED = nodes.filter((node) => node.state === "materialized").map((node) => node.name);

let tab: Tab;
beforeAll(async () => {
  tab = await Tab.open({ link: { run: RUN } });
});
afterAll(async () => tab.close());

async function goTo(step: number): Promise<void> {
  const from = steps.indexOf(await tab.step());
  const to = steps.indexOf(step);
  await tab.ruler.focus();
  for (let at = from; at < to; at += 1) await tab.page.keyboard.press("ArrowRight");
  for (let at = from; at > to; at -= 1) await tab.page.keyboard.press("ArrowLeft");
  await eventually(
    () => tab.step(),
    (at) => at === step,
  );
}

async function unfold(): Promise<void> {
  const closed = tab.frame.locator("[role=row][aria-expanded=false] .tw");
  while ((await closed.count()) > 0) await closed.first().click();
}

describe("the step ruler", () => {
  it("has exactly the recorded steps", async () => {
    await tab.ruler.focus();
    await tab.page.keyboard.press("Home");
    const seen: number[] = [];
    for (const step of steps) {
      seen.push(
        await eventually(
          () => tab.step(),
          (at) => at === step,
        ),
      );
      await tab.page.keyboard.press("ArrowRight");
    }
    expect(seen).toEqual(steps);
    expect(await tab.step()).toBe(steps.at(-1));
  });

  it("goes to the first NaN", async () => {
    await tab.frame.getByRole("button", { name: "first NaN or Inf" }).click();
    await eventually(
      () => tab.step(),
      (at) => at === handover.firstNan,
    );
    expect(await tab.row("head/dense").getAttribute("aria-selected")).toBe("true");
  });
});

describe("the list", () => {
  it.each([0, 7, 350, 693])("shows the statistic of every node at step %d", async (step) => {
    await goTo(step);
    await unfold();
    for (const node of MATERIALIZED) {
      const broken = expectedNumber(RUN, node, "value", step, "nan_count");
      const column = node === "loss" ? "mean" : "std"; // a scalar has no spread: its value stands there
      const text = broken > 0 ? `NaN ${broken}` : formatNumber(expectedNumber(RUN, node, "value", step, column));
      await eventually(
        async () => (await tab.row(node).locator(".num").textContent()) ?? "",
        (shown) => shown === text,
      );
    }
  });

  it("says why a node has no number", async () => {
    for (const { name, title } of nodes.filter((node) => node.state !== "materialized")) {
      expect(await tab.row(name).locator(".why").textContent()).toContain(title);
    }
  });
});

describe("the panel", () => {
  const shown: readonly (readonly [string, string])[] = [
    ["encoder/conv2d", "value"],
    ["encoder/conv2d", "gradient"],
    ["encoder/conv2d/kernel", "update"],
    ["head/dense", "value"],
  ];

  it.each(shown)("shows the statistics of %s, %s", async (node, quantity) => {
    await goTo(448);
    await tab.row(node).click();
    await tab.frame.getByRole("tablist", { name: "Quantity" }).getByRole("tab", { name: quantity }).click();
    const number = (column: string): number => expectedNumber(RUN, node, quantity, 448, column);
    const strip = await eventually(
      () => tab.strip(),
      (found) => found.mean === formatNumber(number("mean")) && found.std === formatNumber(number("std")),
    );
    expect(strip.min).toBe(formatNumber(number("min")));
    expect(strip.max).toBe(formatNumber(number("max")));
    expect(strip["L2 norm"]).toBe(formatNumber(number("l2_norm")));
    expect(strip.zero).toBe(formatShare(number("zero_fraction")));
    // Counts of zero share one place.
    expect(strip.NaN ?? "0").toBe(formatCount(number("nan_count")));
    expect(strip["+Inf"] ?? "0").toBe(formatCount(number("pos_inf_count")));
    expect("NaN, ±Inf" in strip).toBe(!("NaN" in strip || "+Inf" in strip || "−Inf" in strip));
    expect(strip.elements).toBe(formatCount(number("elements")));
    await tab.frame.getByRole("tablist", { name: "Quantity" }).getByRole("tab", { name: "value" }).click();
  });

  it("shows the one number of a scalar", async () => {
    await goTo(448);
    await tab.row("loss").click();
    const value = formatNumber(expectedNumber(RUN, "loss", "value", 448, "mean"));
    await eventually(
      () => tab.strip(),
      (found) => found.value === value && found.elements === "1" && !("mean" in found || "std" in found),
    );
  });

  it("shows the raw numbers of the sample, NaN and infinities too", async () => {
    await goTo(448);
    await tab.row("head/dense").click();
    await tab.frame.getByRole("combobox", { name: "View" }).first().selectOption("table");
    const expected = readSample(RUN, "head/dense", 448);
    const table = tab.frame.getByRole("table").last();
    await table.getByText("NaN", { exact: true }).first().waitFor();
    const rows = await table
      .getByRole("row")
      .evaluateAll((all) =>
        all
          .slice(1)
          .map((row) => [...row.querySelectorAll("[role=cell]")].map((cell) => cell.textContent.replace(/^[▲▼] /, ""))),
      );
    expect(rows.length).toBe(expected.length);
    rows.forEach((row, index) => {
      expect(row.length).toBeGreaterThan(2);
      expect(row).toEqual(expected[index].slice(0, row.length).map((number) => formatNumber(number, 4)));
    });
  });

  it("gives the sample away as .npy, bit by bit", async () => {
    const [download] = await Promise.all([
      tab.page.waitForEvent("download"),
      tab.frame.getByRole("button", { name: ".npy" }).first().click(),
    ]);
    const file = await download.path();
    expect(
      execFileSync(handover.python, ["-c", COMPARE, file, handover.runs[RUN].path, "head/dense", "448"]).toString(),
    ).toBe("same\n");
  });

  it("gives the history away as .csv", async () => {
    const [download] = await Promise.all([
      tab.page.waitForEvent("download"),
      tab.frame.getByRole("button", { name: ".csv" }).first().click(),
    ]);
    const [head, ...lines] = readFileSync(await download.path(), "utf8")
      .trim()
      .split(/\r?\n/);
    const columns = head.split(",");
    expect(lines.map((line) => Number(line.split(",")[columns.indexOf("step")]))).toEqual(steps);
    const mean = lines.map((line) => Number(line.split(",")[columns.indexOf("mean")]));
    steps.forEach((step, index) =>
      expect(mean[index]).toBeCloseTo(expectedNumber(RUN, "head/dense", "value", step, "mean"), 6),
    );
  });
});

describe("the matrix", () => {
  it("says the number under the keyboard's cell", async () => {
    await tab.frame.getByRole("tab", { name: "Matrix" }).click();
    await goTo(0);
    await tab.row("encoder/conv2d").click();
    const plot = tab.frame.getByRole("group", { name: /of value of \d+ nodes over steps/ });
    await plot.focus();
    await tab.page.keyboard.press("ArrowRight");
    const tip = tab.frame.locator(".mx-plot .tip");
    await tip.waitFor();
    const text = await tip.innerText();
    const step = Number(/step ([\d,]+)/.exec(text)?.[1].replace(",", ""));
    const node = text.split("\n")[0].trim();
    expect(steps).toContain(step);
    expect(text).toContain(formatNumber(expectedNumber(RUN, node, "value", step, "std")));
    await tab.shoot("matrix");
  });
});

const COMPARE = `
import sys, numpy as np
from tb_activations import open_run
expected = open_run(sys.argv[2]).value(sys.argv[3], int(sys.argv[4]))
found = np.load(sys.argv[1], allow_pickle=False)
print("same" if found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes() else "different")
`;

const READ = `
import json, sys
from tb_activations import open_run
rows = open_run(sys.argv[1]).value(sys.argv[2], int(sys.argv[3])).tolist()
print(json.dumps([[str(number) for number in row] for row in rows]))
`;

function readSample(run: string, node: string, step: number): number[][] {
  const text = execFileSync(handover.python, ["-c", READ, handover.runs[run].path, node, String(step)]).toString();
  return (JSON.parse(text) as string[][]).map((row) => row.map((number) => Number(number.replace("inf", "Infinity"))));
}
