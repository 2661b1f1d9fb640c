/* The matrix with the pointer: what a cell says, zooming into steps and back, its colours, and a second run. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { formatCount, formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const SECOND = "second/train";
const { steps } = handover.runs[RUN];
const LAST = steps[steps.length - 1];

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, node: "image", step: "350", view: "matrix" } });
  await tab.frame.locator(".mx-label").first().waitFor();
});
afterEach(async () => tab.close());

interface Place {
  readonly x: number;
  readonly y: number;
}

/** A place of the heat map: a share of its width, in the row of a node. */
async function placeAt(node: string, share: number): Promise<Place> {
  const plot = tab.frame.getByRole("group", { name: /of value of \d+ nodes over steps/ });
  const [area, row] = [await plot.boundingBox(), await tab.frame.locator(`.mx-label[title="${node}"]`).boundingBox()];
  if (area === null || row === null) throw new Error("The matrix has no area.");
  return { x: area.x + area.width * share, y: row.y + row.height / 2 };
}

const tip = (): Promise<string> => tab.frame.locator(".mx-plot .tip").innerText();

/** The one step that the tip names. */
async function hover(node: string, share: number): Promise<{ text: string; step: number }> {
  const { x, y } = await placeAt(node, share);
  await tab.page.mouse.move(x, y);
  const text = await eventually(tip, (found) => /^step [\d,]+ · capture/m.test(found) && found.includes(node));
  return { text, step: Number(/step ([\d,]+)/.exec(text)?.[1].replaceAll(",", "")) };
}

async function drag(node: string, from: number, to: number): Promise<void> {
  const [start, stop] = [await placeAt(node, from), await placeAt(node, to)];
  await tab.page.mouse.move(start.x, start.y);
  await tab.page.mouse.down();
  await tab.page.mouse.move(stop.x, stop.y, { steps: 5 });
  await tab.page.mouse.up();
}

const asked = (): URLSearchParams[] =>
  tab.requests.filter((url) => url.includes("/matrix?")).map((url) => new URL(url).searchParams);

it.each(["image", "encoder/conv2d/kernel", "encoder/attention"])("says the number of the cell of %s", async (node) => {
  for (const share of [0.1, 0.5, 0.83]) {
    const { text, step } = await hover(node, share);
    expect(steps).toContain(step);
    expect(text).toContain(formatNumber(expectedNumber(RUN, node, "value", step, "std")));
    expect(text).toContain(`capture ${formatCount(steps.indexOf(step) + 1)} · epoch `);
    expect(text).not.toContain("epoch 0");
  }
});

it("says why there is no number, and that a scalar has no spread", async () => {
  for (const [node, words] of [
    ["loss", "a scalar has no spread"],
    ["unused", "not selected"],
  ] as const) {
    const { x, y } = await placeAt(node, 0.5);
    await tab.page.mouse.move(x, y);
    await eventually(tip, (text) => text.includes(words));
  }
});

it("zooms into the steps that are dragged over, asks for these alone, and shows all after a double click", async () => {
  expect(asked().every((query) => !query.has("first_step"))).toBe(true);
  await drag("image", 0.4, 0.6);
  const all = tab.frame.getByRole("button", { name: "All steps" });
  await all.waitFor();
  const query = await eventually(
    () => Promise.resolve(asked().at(-1)),
    (last) => last?.has("first_step") === true,
  );
  const [first, last] = [Number(query?.get("first_step")), Number(query?.get("last_step"))];
  for (const step of [first, last]) expect(steps).toContain(step);
  expect(Math.abs(first / LAST - 0.4)).toBeLessThan(0.03);
  expect(Math.abs(last / LAST - 0.6)).toBeLessThan(0.03);
  const { text, step } = await hover("image", 0.5);
  expect(Math.abs(step / LAST - 0.5)).toBeLessThan(0.02);
  expect(text).toContain(formatNumber(expectedNumber(RUN, "image", "value", step, "std")));
  // The whole page has the same steps.
  await eventually(
    () => tab.page.evaluate(() => location.hash),
    (hash) => hash.includes("zoom="),
  );
  const { x, y } = await placeAt("image", 0.5);
  await tab.page.mouse.dblclick(x, y);
  await all.waitFor({ state: "detached" });
  expect((await hover("image", 0.1)).step).toBeLessThan(0.15 * LAST);
});

it("chooses a node that is there when the one under the cursor was filtered away", async () => {
  const plot = tab.frame.getByRole("group", { name: /of value of \d+ nodes over steps/ });
  await plot.focus();
  for (let row = 0; row < 12; row += 1) await tab.page.keyboard.press("ArrowDown");
  await tab.page.keyboard.press("Enter");
  const chosen = (): Promise<string | null> => tab.frame.locator(".panel-path").getAttribute("title");
  await eventually(chosen, (path) => path !== "image");
  await tab.frame.getByLabel("Search nodes").fill("image");
  await eventually(() => tab.frame.locator(".mx-label").count(), (count) => count === 1); // prettier-ignore
  await plot.focus();
  for (const key of ["Enter", "ArrowDown", "Enter"]) await tab.page.keyboard.press(key);
  await eventually(chosen, (path) => path === "image");
});

it("has the axis of steps right under the last row", async () => {
  const [rows, axis] = [
    await tab.frame.locator(".mx-label").last().boundingBox(),
    await tab.frame.locator(".mx-axis").boundingBox(),
  ];
  if (rows === null || axis === null) throw new Error("The matrix has no area.");
  expect(Math.abs(axis.y - rows.y - rows.height)).toBeLessThan(2);
});

it("colours each row by itself, on a linear scale, and so does a link", async () => {
  const bar = (): Promise<string | null> =>
    tab.frame.getByRole("img", { name: /^Colour bar/ }).getAttribute("aria-label");
  expect(await bar()).toBe("Colour bar of std, log");
  await tab.frame.getByRole("combobox", { name: "scale" }).selectOption("linear");
  await tab.frame.getByRole("combobox", { name: "colours" }).selectOption("row");
  await eventually(bar, (label) => label === "Colour bar of std, linear");
  await eventually(
    () => tab.page.evaluate(() => location.hash),
    (hash) => hash.includes("domain=row") && hash.includes("scale=linear"),
  );
  await tab.page.reload();
  await eventually(
    () => tab.frame.locator(".mx-bar-row").innerText(),
    (name) => name === "image",
  );
});

it("shows differences to a second run at the same step", async () => {
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  await tab.page.mouse.move(5, 5);
  await tab.frame.getByRole("group", { name: /^Difference of std of value/ }).waitFor();
  const { x, y } = await placeAt("encoder/pool", 0.3);
  await tab.page.mouse.move(x, y);
  const text = await eventually(tip, (found) => found.includes("difference"));
  const step = Number(/step ([\d,]+)/.exec(text)?.[1].replaceAll(",", ""));
  const change =
    expectedNumber(RUN, "encoder/pool", "value", step, "std") -
    expectedNumber(SECOND, "encoder/pool", "value", step, "std");
  expect(text).toContain(formatNumber(Math.fround(change)));
  await tab.shoot("matrix-compare");
});

it("says where nothing is finite, in the matrix, the graph and the panel", async () => {
  const link = { run: "broken/train", node: "dense" };
  const graph = await Tab.open({ server: "large", link });
  await graph.frame.getByText("no element is finite", { exact: true }).waitFor();
  await graph.frame.getByText("No element is finite.").waitFor();
  await eventually(
    () => graph.frame.locator(".legend").innerText(),
    (text) => text === "nothing finite",
  );
  await graph.close();
});
