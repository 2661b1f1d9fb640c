/* The graph: what is open and in sight, the camera's keys, scopes, the numbers in its boxes, and the way of the gradients. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { cellText } from "../../src/graph/cells";
import { formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const NODE = "encoder/pool";
const STEP = 350;
const { nodes } = handover.runs[RUN];
const DRAWN = nodes.filter((node) => node.kind !== "variable" && node.state === "materialized");

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, node: NODE, step: String(STEP) } });
  await drawn();
});
afterEach(async () => tab.close());

/** What the graph's lower canvas shows, once it stands still. */
async function drawn(): Promise<string> {
  const canvas = tab.frame.locator(".gv > canvas").first();
  const read = (): Promise<string> => canvas.evaluate((element) => (element as HTMLCanvasElement).toDataURL());
  let before = "";
  return eventually(read, (now) => {
    const still = now === before && now.length > 5000;
    before = now;
    return still;
  });
}

async function show(item: string): Promise<void> {
  const button = tab.frame.getByRole("button", { name: "Show in the graph" });
  await button.click();
  await tab.frame.locator(".graph-show").getByText(item).click();
  if ((await button.getAttribute("aria-expanded")) === "true") await button.click();
  await drawn();
}

/** The graph as an SVG file, all of it. */
async function svg(): Promise<string> {
  await tab.frame.getByRole("button", { name: "Export the graph" }).click();
  const [download] = await Promise.all([
    tab.page.waitForEvent("download"),
    tab.frame.getByRole("button", { name: "SVG", exact: true }).click(),
  ]);
  return (await readFile(await download.path())).toString();
}

const textsOf = (picture: string): string[] => [...picture.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text);

const hash = (): Promise<string> => tab.page.evaluate(() => decodeURIComponent(decodeURIComponent(location.hash)));

it("opens the scope around the selection and shows it as large as can be read", async () => {
  const area = await tab.frame.locator(".gv").boundingBox();
  if (area === null) throw new Error("The graph has no area.");
  expect(area.height).toBeLessThan(320);
  await tab.shoot("graph-low");
  const path = tab.frame.locator("#upper-view .tip .tip-path");
  let named = "";
  for (let at = 0; at < 200 && !named.startsWith(NODE); at += 1) {
    const [x, y] = [0.2 + 0.6 * ((at % 20) / 20), 0.1 + 0.8 * (Math.floor(at / 20) / 10)];
    await tab.page.mouse.move(area.x + area.width * x, area.y + area.height * y);
    await tab.page.waitForTimeout(50);
    named = (await path.count()) > 0 ? (await path.innerText()).replace(/\s/g, "") : "";
  }
  expect(named).toContain(NODE);
  const tip = await tab.frame.locator("#upper-view .tip").innerText();
  expect(tip).toContain(formatNumber(expectedNumber(RUN, NODE, "value", STEP, "std")));
  const texts = textsOf(await svg());
  expect(texts).toContain("pool");
  expect(texts).not.toContain("dense");
  // All of it is in sight.
  expect(await tab.frame.locator(".minimap").isVisible()).toBe(false);
});

it("shows a map of a graph that is longer than the view, which leads anywhere", async () => {
  await tab.close();
  tab = await Tab.open({ width: 1000, link: { run: RUN, node: NODE, open: "encoder,head" } });
  const before = await drawn();
  const minimap = tab.frame.locator(".minimap");
  await minimap.waitFor();
  await minimap.click({ position: { x: 150, y: 10 } });
  expect(await drawn()).not.toBe(before);
});

it("zooms with + and −, and fits with F", async () => {
  await tab.ruler.focus();
  const fitted = await drawn();
  await tab.page.keyboard.press("+");
  const near = await drawn();
  expect(near).not.toBe(fitted);
  await tab.page.keyboard.press("-");
  await tab.page.keyboard.press("-");
  expect(await drawn()).not.toBe(fitted);
  await tab.page.keyboard.press("f");
  expect(await drawn()).toBe(fitted);
  // Once more: all of it.
  await tab.page.keyboard.press("f");
  expect(await drawn()).not.toBe(fitted);
});

it("opens and closes scopes by keyboard, and the address keeps them", async () => {
  await tab.frame.locator(".gv").focus();
  const item = (): Promise<string> =>
    tab.frame
      .locator("#graph-item")
      .getAttribute("aria-label")
      .then((text) => text ?? "");
  for (let press = 0; press < 12; press += 1) {
    await tab.page.keyboard.press("ArrowRight");
    if ((await item()).startsWith("head")) break;
  }
  expect(await item()).toMatch(/^head/);
  await tab.page.keyboard.press("Enter");
  await eventually(hash, (text) => /open=[^&]*head/.test(text));
  await drawn();
  expect(textsOf(await svg())).toContain("dense");
  await tab.page.reload();
  await tab.frame.locator(".gv").waitFor();
  await drawn();
  expect(textsOf(await svg())).toContain("dense");
  await show("close all scopes");
  await eventually(hash, (text) => text.includes("open=&") || text.endsWith("open="));
  expect(textsOf(await svg())).not.toContain("pool");
});

it.each([STEP, 693])("has in its boxes the numbers of step %d", async (step) => {
  await show("open all scopes");
  if (step !== STEP) {
    await tab.ruler.focus();
    await tab.page.keyboard.press("End");
    await eventually(
      () => tab.step(),
      (at) => at === step,
    );
    await tab.page.waitForTimeout(1000);
  }
  const texts = textsOf(await svg());
  for (const { name } of DRAWN) {
    const broken = expectedNumber(RUN, name, "value", step, "nan_count");
    const column = name === "loss" ? "mean" : "std";
    const text = broken > 0 ? "NaN" : cellText(column, expectedNumber(RUN, name, "value", step, column));
    expect(texts, `${name} at ${step}`).toContain(text);
  }
});

it("draws the way of the gradients where it is asked to", async () => {
  const dashed = (picture: string): number => picture.split('stroke-dasharray="4 2"').length - 1;
  expect(dashed(await svg())).toBe(0);
  await show("flow of gradients");
  expect(dashed(await svg())).toBe(1);
  await eventually(hash, (text) => text.includes("gradients=1"));
});

it("says where updates are to be seen, and shows them", async () => {
  await tab.frame.getByRole("combobox", { name: "Quantity" }).selectOption("update");
  const hint = tab.frame.getByText("Only variables have updates.");
  await hint.getByRole("button", { name: "Show variables" }).click();
  await hint.waitFor({ state: "detached" });
  await eventually(
    async () => (await tab.place()).variables,
    (shown) => shown === "1",
  );
});
