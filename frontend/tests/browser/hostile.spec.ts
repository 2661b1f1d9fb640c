/* Names of runs, nodes, classes and files are anybody's text: it is shown as it is, does nothing, and breaks no layout. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = Object.keys(handover.runs).find((name) => name.includes("<img"))!;
const NAMES = handover.runs[RUN].nodes.map((node) => node.name);

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, step: "3" } });
  await tab.frame.locator("[role=row]").first().waitFor();
});
afterEach(async () => tab.close());

/** Elements that only a name could have brought in, and what sticks out of the page. */
async function damage(): Promise<string[]> {
  const frame = await tab.inside();
  return frame.evaluate(() => {
    const foreign = [...document.querySelectorAll("img, script[src=''], b > i, u, iframe, object, embed")];
    const texts = foreign.map((element) => `${element.localName} ${element.textContent}`);
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
    // The live region for screen readers, one pixel, stands below the page.
    if (scrollWidth > clientWidth) texts.push(`wider than the page: ${scrollWidth} > ${clientWidth}`);
    if (scrollHeight > clientHeight + 1) texts.push(`higher than the page: ${scrollHeight} > ${clientHeight}`);
    return texts;
  });
}

it("lists every name and lets every one be chosen", async () => {
  const frame = await tab.inside();
  for (const scope of await tab.frame.locator("[role=row][aria-expanded=false]").all()) await scope.click();
  for (const name of NAMES) {
    const clicked = await frame.evaluate((path) => {
      const row = [...document.querySelectorAll<HTMLElement>("[role=row]")].find((each) => each.dataset.path === path);
      row?.click();
      return row !== undefined;
    }, name);
    expect(clicked, name).toBe(true);
    await tab.frame.locator("[data-panel] h2").first().waitFor();
    const title = await tab.frame.locator(".panel-path").getAttribute("title");
    expect(title).toBe(name);
    expect(await damage()).toEqual([]);
  }
  await tab.shoot("hostile");
});

it.each(["Graph", "Matrix", "Findings"])("survives them in the view %s", async (view) => {
  await tab.frame.getByRole("tab", { name: view }).click();
  await tab.frame.locator("#upper-view").getByText("Loading").waitFor({ state: "detached" });
  expect(await damage()).toEqual([]);
  await tab.shoot(`hostile-${view.toLowerCase()}`);
});

it("survives them as search, link and comparison", async () => {
  await tab.frame.getByLabel("Search nodes").fill("<img");
  await tab.row(NAMES[0]).waitFor();
  await tab.frame.getByRole("button", { name: "Regular expression" }).click();
  await tab.frame.getByLabel("Search nodes").fill("(((");
  expect(await tab.frame.getByLabel("Search nodes").getAttribute("aria-invalid")).toBe("true");
  expect(await damage()).toEqual([]);
});

it("does not believe a hostile link", async () => {
  const evil = await Tab.open({
    link: {
      run: "<img src=x onerror=alert(9)>",
      node: "<script>alert(8)</script>",
      step: "-1e9",
      quantity: "x",
      view: "y",
    },
    expect: ".empty h1",
  });
  expect(await (await evil.inside()).evaluate(() => document.querySelectorAll("img").length)).toBe(0);
  await evil.close();
});
