/* The charts and pictures of the panel with pointer and keys: what the tips say, zooming, what two runs or steps look like beside each other, and files. */
import { afterAll, beforeEach, expect, it } from "vitest";
import { readFileSync } from "node:fs";
import type { Download, Locator } from "playwright-core";
import { formatCount, formatFull, formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const SECOND = "second/train";
const { steps } = handover.runs[RUN];
const LAST = steps[steps.length - 1];
const { step: STEP, values } = handover.samples;

let tab: Tab;
beforeEach(() => {
  return async () => tab.close();
});

async function open(node: string, link: Record<string, string> = {}): Promise<void> {
  tab = await Tab.open({ link: { run: RUN, node, step: String(STEP), ...link } });
  await tab.frame.locator("[data-panel] .picture").first().waitFor();
}

const chart = (name: RegExp): Locator => tab.frame.getByRole("group", { name });
const statistics = (): Locator => chart(/^Statistics of the/);
const histogram = (): Locator => chart(/^Histogram of the/);
const address = (): Promise<string> => tab.page.evaluate(() => location.hash);

/** A place of the axis of steps, which has 48 px to its left and 12 to its right. */
async function placeAt(of: Locator, share: number): Promise<{ x: number; y: number }> {
  const box = await of.boundingBox();
  if (box === null) throw new Error("The chart has no area.");
  return { x: box.x + 48 + share * (box.width - 60), y: box.y + box.height / 2 };
}

async function drag(of: Locator, from: number, to: number): Promise<void> {
  const [start, stop] = [await placeAt(of, from), await placeAt(of, to)];
  await tab.page.mouse.move(start.x, start.y);
  await tab.page.mouse.down();
  await tab.page.mouse.move(stop.x, stop.y, { steps: 4 });
  await tab.page.mouse.up();
}

it("a chart says the numbers of the step under the pointer, and its twin the fullest bin", async () => {
  await open("encoder/conv2d");
  for (const share of [0.2, 0.75]) {
    const { x, y } = await placeAt(statistics(), share);
    await tab.page.mouse.move(x, y);
    const tip = await statistics().locator(".tip").innerText();
    const step = Number(/step ([\d,]+)/.exec(tip)?.[1].replaceAll(",", ""));
    expect(steps).toContain(step);
    expect(Math.abs(step / LAST - share)).toBeLessThan(0.02);
    for (const column of ["min", "max", "mean", "std"])
      expect(tip.replace(/\s+/g, " ")).toContain(
        `${column} ${formatNumber(expectedNumber(RUN, "encoder/conv2d", "value", step, column))}`,
      );
    expect(await histogram().locator(".tip").innerText()).toMatch(/^step [\d,]+\s+[\d.]+\s% between/);
  }
});

it("a drag over steps zooms all charts, on the histogram too, and a double click shows all at the same step", async () => {
  await open("encoder/conv2d");
  for (const of of [statistics(), histogram()]) {
    await drag(of, 0.4, 0.6);
    const hash = await eventually(address, (found) => found.includes("zoom="));
    const [first, last] = (/zoom=(\d+)-(\d+)/.exec(hash) ?? []).slice(1).map(Number);
    expect(Math.abs(first / LAST - 0.4)).toBeLessThan(0.02);
    expect(Math.abs(last / LAST - 0.6)).toBeLessThan(0.02);
    // Both ends of the chart are those of the zoom now.
    const { x, y } = await placeAt(statistics(), 0.5);
    await tab.page.mouse.move(x, y);
    const tip = await statistics().locator(".tip").innerText();
    expect(Math.abs(Number(/step ([\d,]+)/.exec(tip)?.[1]) / LAST - 0.5)).toBeLessThan(0.02);
    await tab.page.mouse.dblclick(x, y);
    await eventually(address, (found) => !found.includes("zoom="));
    expect(await tab.step()).toBe(STEP);
  }
  await statistics().focus();
  await tab.page.keyboard.press("+");
  await eventually(address, (found) => found.includes("zoom="));
  await tab.page.keyboard.press("0");
  await eventually(address, (found) => !found.includes("zoom="));
});

it("ridges have a card's menu of files, and stay in the address", async () => {
  await open("encoder/conv2d");
  await tab.frame.getByRole("combobox", { name: "Style" }).selectOption("ridges");
  await tab.frame.getByRole("img", { name: /at a dozen steps/ }).waitFor();
  await eventually(address, (found) => found.includes("histogram=ridges"));
  expect(await tab.accessibilityProblems()).toEqual([]);
});

const cells = async (): Promise<string[]> =>
  (await tab.frame.locator("[data-panel] .number-row:not(.number-head) [role=cell]").allInnerTexts()).map((text) =>
    text.trim(),
  );

it("the table of a picture begins with its chosen channel, and any two axes can be laid out", async () => {
  await open("encoder/conv2d", { picture: "table", tile: "5" });
  const maps = values["encoder/conv2d"] as number[][][][];
  await eventually(cells, (all) => all[0] === formatNumber(maps[0][0][0][5], 4));
  expect((await cells())[1]).toBe(formatNumber(maps[0][0][1][5], 4));
  await tab.frame.getByRole("button", { name: "Next channel" }).click();
  await eventually(cells, (all) => all[0] === formatNumber(maps[0][0][0][6], 4));
  await tab.frame.getByRole("button", { name: "Settings and export" }).click();
  await tab.frame.getByRole("combobox", { name: "across" }).selectOption({ label: "channel (8)" });
  await eventually(cells, (all) => all[1] === formatNumber(maps[0][0][0][1], 4));
  await tab.frame.getByRole("combobox", { name: "down" }).selectOption({ label: "column (14)" });
  await eventually(cells, (all) => all[8] === formatNumber(maps[0][0][1][0], 4));
});

it("a heat map says what its rows and columns are, however they are laid out", async () => {
  await open("encoder/conv2d", { picture: "heat", axes: "heat:.3.1" });
  await tab.frame.locator(".card-note", { hasText: "rows = channel, columns = row" }).waitFor();
  await tab.close();
  await open("head/dense", { picture: "heat" });
  await tab.frame.locator(".card-note", { hasText: "rows = example, columns = unit" }).waitFor();
});

it("a table is copied in full precision, and says so", async () => {
  await open("head/dense", { picture: "table" });
  await tab.frame.getByRole("button", { name: "Copy as TSV" }).click();
  await tab.frame.getByRole("button", { name: "Copied" }).waitFor();
  const text = await tab.page.evaluate(() => navigator.clipboard.readText());
  const rows = text.split("\n").slice(1).map((line) => line.split("\t").slice(1).map(Number)); // prettier-ignore
  expect(rows.map((row) => row.map(Math.fround))).toEqual(
    (values["head/dense"] as number[][]).map((row) => row.map(Math.fround)),
  );
});

/** The number that keys read out of the first element. */
async function firstElement(label: RegExp): Promise<string> {
  await chart(label).first().focus();
  await tab.page.keyboard.press("ArrowRight");
  return tab.frame.locator("[data-panel] .tip b").first().innerText();
}

it("minus the first capture is the difference of the samples; at the first capture there is none", async () => {
  await open("loss", { minus: "first" });
  const words = await eventually(
    () => tab.frame.locator("[data-panel] .the-number").innerText(),
    (text) => text.startsWith("−"),
  );
  const [now, then] = [STEP, 0].map((step) => expectedNumber(RUN, "loss", "value", step, "mean"));
  expect(words).toContain(formatNumber(now - then, 4));
  await tab.ruler.focus();
  await tab.page.keyboard.press("Home");
  await tab.frame.getByText("This is the first capture").waitFor();
});

it("minus what is compared says that nothing is, until something is", async () => {
  await open("head/dense", { minus: "beside" });
  await tab.frame.getByText("Nothing is compared").waitFor();
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  const pair = tab.frame.locator(".pair > figure");
  await pair.nth(1).waitFor();
  expect(await pair.locator("figcaption").allInnerTexts()).toEqual([RUN, SECOND].map((run) => `${run} step ${STEP}`));
  expect(await firstElement(/as .* cells/)).toBe(formatFull((values["head/dense"] as number[][])[0][0]));
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.shoot("beside-run");
});

async function save(menu: string, item: string): Promise<Download> {
  await tab.frame.getByRole("button", { name: menu }).first().click();
  const [file] = await Promise.all([
    tab.page.waitForEvent("download"),
    tab.frame.getByRole("button", { name: item, exact: true }).click(),
  ]);
  return file;
}

it("files hold what is shown: charts as PNG and SVG, a sample as .npy and .csv", async () => {
  await open("head/dense");
  const svg = readFileSync(await (await save("Export and table", "SVG")).path(), "utf8");
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  expect(svg).toContain(">mean</text>");
  const png = readFileSync(await (await save("Export and table", "PNG")).path());
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  const box = await statistics().boundingBox();
  expect(png.readUInt32BE(16)).toBe(Math.round(3 * (box?.width ?? 0)));
  const dense = (values["head/dense"] as number[][]).flat();
  const csv = readFileSync(await (await save("Settings and export", ".csv of the sample")).path(), "utf8");
  const lines = csv.trim().split("\r\n");
  expect(lines[0]).toBe("example,unit,value");
  expect(lines.slice(1).map((line) => Math.fround(Number(line.split(",")[2])))).toEqual(dense.map(Math.fround));
  const npy = readFileSync(await (await save("Settings and export", ".npy of the sample")).path());
  const data = new Float32Array(npy.buffer.slice(npy.byteOffset + npy.length - 4 * dense.length, npy.byteOffset + npy.length)); // prettier-ignore
  expect([...data]).toEqual(dense.map(Math.fround));
  expect(npy.toString("latin1", 0, 100)).toContain(`'shape': (${formatCount(dense.length / 10)}, 10)`);
});
