/* TensorBoard as a notebook shows it: in a small frame of a page of another origin, which can't be read and has no address to write. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FrameLocator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formatNumber } from "../../src/format";
import { address, eventually, expectedNumber, handover, launch, quit } from "./harness";

const RUN = "digits/train";
const { steps } = handover.runs[RUN];

let notebook: Server;
beforeAll(async () => {
  notebook = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(
      `<!doctype html><h1>Notebook</h1><iframe id="tensorboard" width="480" height="600" src="${address({ link: { run: RUN } })}"></iframe>`,
    );
  });
  await new Promise<void>((resolve) => notebook.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  notebook.close();
  await quit();
});

/** The dashboard inside of TensorBoard inside of the notebook. */
function dashboard(page: Page): FrameLocator {
  return page.frameLocator("#tensorboard").frameLocator('iframe[src*="name=tb_activations"]');
}

it("works in a frame of 480 × 600 of another origin, without loss and without an error", async () => {
  const page = await (await launch()).newPage({ viewport: { width: 1000, height: 800 }, reducedMotion: "reduce" });
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  // Another port is another origin; on another site Chromium refuses storage, without which TensorBoard itself doesn't start.
  await page.goto(`http://127.0.0.1:${(notebook.address() as AddressInfo).port}/`);
  const view = dashboard(page);
  const row = (path: string) => view.locator(`[role=row][data-path="${path}"]`);
  const ruler = view.getByRole("slider", { name: "Step" });
  const at = async (): Promise<number> => Number(await ruler.getAttribute("aria-valuenow"));

  // A node, its number and its panel.
  await row("encoder/conv2d").click();
  await ruler.focus();
  await page.keyboard.press("Home");
  await eventually(at, (step) => step === steps[0]);
  await eventually(
    async () => (await row("encoder/conv2d").locator(".num").textContent()) ?? "",
    (text) => text === formatNumber(expectedNumber(RUN, "encoder/conv2d", "value", steps[0], "std")),
  );
  await view.locator("[data-panel] .picture").first().scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${handover.shots}/notebook.png` });

  // What stands beside the list and the ruler in a wide page is under a button here.
  await view.getByRole("button", { name: "Compare and filter" }).click();
  await view.getByRole("combobox", { name: "Kind" }).selectOption("variable");
  await row("encoder/conv2d/kernel").waitFor();
  await view.getByRole("combobox", { name: "Kind" }).selectOption("all");
  await view.getByRole("combobox", { name: "Compare" }).selectOption("run:second/train");
  await page.keyboard.press("Escape");
  for (const jump of ["Last capture, follow (End)", "First capture (Home)", "first finding", "first NaN or Inf"]) {
    await view.getByRole("button", { name: "More steps to go to" }).click();
    await view.getByRole("button", { name: jump }).click();
    await view.getByRole("button", { name: "More steps to go to" }).click();
  }
  await eventually(at, (step) => step === handover.firstNan);

  // Every view, and the keys.
  for (const [key, name] of [
    ["1", "Graph"],
    ["2", "Matrix"],
    ["3", "Findings"],
  ]) {
    await view.getByRole("tab", { name: new RegExp(`^${name}`) }).click();
    await view.locator("#upper-view").waitFor();
    await page.keyboard.press(key);
    expect(await view.getByRole("tab", { name: new RegExp(`^${name}`) }).getAttribute("aria-selected")).toBe("true");
    await page.waitForTimeout(500);
    await page.screenshot({ path: `${handover.shots}/notebook-${name.toLowerCase()}.png` });
  }
  const remedy = view.locator(".fd tbody tr").first().locator("td").last();
  expect((await remedy.boundingBox())!.width).toBeGreaterThan(400);
  const wide = await view.locator("html").evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
  expect(wide).toBeLessThanOrEqual(0);
  expect(problems).toEqual([]);
  await page.context().close();
});
