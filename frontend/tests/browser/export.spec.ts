/* What is saved as a file: pictures of graph and matrix, whole, in both formats. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { cellText } from "../../src/graph/cells";
import { expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const STEP = 350;
const { nodes } = handover.runs[RUN];

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, step: String(STEP) } });
  await tab.row("image").waitFor();
});
afterEach(async () => tab.close());

/** The file that an item of a menu gives. */
async function save(menu: string, item: string): Promise<{ name: string; bytes: Buffer }> {
  await tab.frame.getByRole("button", { name: menu }).click();
  const [download] = await Promise.all([
    tab.page.waitForEvent("download"),
    tab.frame.getByRole("button", { name: item, exact: true }).click(),
  ]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** Texts of an SVG file as a browser reads it, and how large it is. */
async function read(svg: string): Promise<{ texts: string[]; width: number; height: number; images: number }> {
  const found = await tab.page.evaluate((text) => {
    const { documentElement: root } = new DOMParser().parseFromString(text, "image/svg+xml");
    return {
      root: root.tagName,
      texts: [...root.querySelectorAll("text")].map((each) => each.textContent ?? ""),
      images: [...root.querySelectorAll("image")].filter((each) => each.getAttribute("href")!.length > 100).length,
      width: Number(root.getAttribute("width")),
      height: Number(root.getAttribute("height")),
    };
  }, svg);
  expect(found.root).toBe("svg");
  return found;
}

/** Width and height of a PNG file. */
const sizeOf = (png: Buffer): [number, number] => {
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
};

it("saves the whole graph, with the numbers of the step", async () => {
  await tab.frame.getByRole("button", { name: "Show in the graph" }).click();
  await tab.frame.getByRole("button", { name: "open all scopes" }).click();
  await tab.page.waitForTimeout(1000);
  const svg = await save("Export the graph", "SVG");
  expect(svg.name).toBe(`digits-train graph value std step ${STEP}.svg`);
  const picture = await read(svg.bytes.toString());
  // The graph doesn't show variables unless it is asked to.
  const shown = nodes.filter((node) => node.kind !== "variable").map((node) => node.name.split("/").at(-1)!);
  for (const name of shown) expect(picture.texts).toContain(name);
  expect(picture.texts).toContain(cellText("std", expectedNumber(RUN, "head/dense", "value", STEP, "std")));
  const png = await save("Export the graph", "PNG");
  expect(sizeOf(png.bytes)).toEqual([Math.round(3 * picture.width), Math.round(3 * picture.height)]);
});

it("saves the matrix with names, steps and colours", async () => {
  await tab.frame.getByRole("tab", { name: "Matrix" }).click();
  await tab.frame.locator(".mx-label").first().waitFor();
  await tab.page.waitForTimeout(1000);
  const svg = await save("Export the matrix", "SVG");
  const picture = await read(svg.bytes.toString());
  for (const { name } of nodes) expect(picture.texts).toContain(name);
  expect(picture.texts).toContain(`std of value, ${RUN}`);
  expect(picture.texts).toContain("NaN, Inf");
  // The heat map and the colour bar.
  expect(picture.images).toBe(2);
  const png = await save("Export the matrix", "PNG");
  expect(sizeOf(png.bytes)).toEqual([Math.round(3 * picture.width), Math.round(3 * picture.height)]);
  const csv = await save("Export the matrix", "CSV of the numbers");
  expect(csv.bytes.toString().split("\r\n")[0]).toBe("node,quantity,statistic,first_step,last_step,low,high,nonfinite");
});
