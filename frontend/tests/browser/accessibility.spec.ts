/* What axe-core can see of WCAG 2.2 AA, in every view and both themes. */
import { afterAll, expect, it } from "vitest";
import { eventually, handover, quit, settled } from "./harness";
import type { Tab, TabOptions } from "./harness";

afterAll(quit);

const HOSTILE = Object.keys(handover.runs).find((name) => name.includes("<img"))!;
const PLACES: Readonly<Record<string, TabOptions>> = {
  graph: { link: { run: "digits/train", node: "encoder/conv2d", step: "448" } },
  matrix: { link: { run: "digits/train", node: "head/dense", step: "448", view: "matrix" } },
  findings: { link: { run: "digits/train", node: "head/dense/kernel", quantity: "gradient", view: "findings" } },
  reason: { link: { run: "digits/train", node: "unused" } },
  comparison: { link: { run: "digits/train", node: "encoder/conv2d", compare_run: "second/train" } },
  hostile: { link: { run: HOSTILE } },
  "comparison in the matrix": {
    link: { run: "digits/train", node: "encoder/conv2d", compare_run: "second/train", view: "matrix" },
  },
  "comparison of findings": { link: { run: "digits/train", compare_run: "second/train", view: "findings" } },
  table: { link: { run: "digits/train", node: "head/dense", step: "448", picture: "table" } },
  bars: { link: { run: "digits/train", node: "head/dense", step: "350", picture: "bars", beside: "1" } },
  ridges: { link: { run: "digits/train", node: "encoder/conv2d", histogram: "ridges" } },
  updates: { link: { run: "digits/train", node: "encoder/conv2d/kernel", quantity: "update" } },
  "tables of charts": { link: { run: "digits/train", node: "encoder/conv2d", tables: "histogram,statistics" } },
  "value beside gradient": { link: { run: "digits/train", node: "encoder/conv2d", beside: "1", enlarged: "1" } },
  "nothing found": { link: { run: "digits/train", search: "no such node" }, expect: ".no-rows" },
  enlarged: { link: { run: "digits/train", node: "encoder/attention", enlarged: "1" } },
  narrow: {
    link: { run: "digits/train", node: "encoder/conv2d", nodes: "0", view: "matrix" },
    width: 480,
    height: 700,
    expect: ".mx-label.on",
  },
  "narrow findings": { link: { run: "digits/train", nodes: "0", view: "findings" }, width: 480, expect: ".fd table" },
  empty: { server: "empty", expect: ".empty h1" },
  missing: { link: { run: "gone" }, expect: ".empty h1" },
};

const background = (tab: Tab): Promise<string> =>
  tab.frame.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);

/** What TensorBoard's switch does. */
async function darken(tab: Tab): Promise<void> {
  const light = await background(tab);
  await tab.page.evaluate(() => document.body.classList.add("dark-mode"));
  await eventually(
    () => background(tab),
    (color) => color !== light,
  );
  await tab.page.waitForTimeout(300);
}

it.each(Object.keys(PLACES))("%s has nothing that axe-core objects to, light or dark", async (place) => {
  const tab = await settled(PLACES[place]);
  const light = await tab.accessibilityProblems();
  await tab.shoot(`${place}-light`);
  await darken(tab);
  const dark = await tab.accessibilityProblems();
  await tab.shoot(`${place}-dark`);
  expect({ light, dark }).toEqual({ light: [], dark: [] });
  await tab.close();
});
