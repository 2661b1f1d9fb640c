/* Names of runs, nodes, classes and files are anybody's text: it is shown as it is, does nothing, and breaks no layout. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { eventually, handover, quit, Tab } from "./harness";

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

it("lets none turn around what stands beside it", async () => {
  const name = NAMES.find((each) => each.includes("\u202e"))!;
  const turning = await Tab.open({ link: { run: RUN, node: name, step: "3" } });
  await turning.frame.locator(".panel-meta").waitFor();
  const places = await (
    await turning.inside()
  ).evaluate(() => {
    const shape = document.querySelector(".panel-meta > span:nth-child(2)")!;
    const text = document.createTreeWalker(shape, NodeFilter.SHOW_TEXT).nextNode()!;
    return Array.from(text.textContent!, (_, at) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return range.getBoundingClientRect().left;
    });
  });
  expect(places.length).toBeGreaterThan(7);
  expect(places).toEqual([...places].sort((a, b) => a - b));
  await turning.close();
});

it.each(["Graph", "Matrix", "Findings"])("survives them in the view %s", async (view) => {
  await tab.frame.getByRole("tab", { name: view }).click();
  await tab.frame.locator("#upper-view").getByText("Loading").waitFor({ state: "detached" });
  expect(await damage()).toEqual([]);
  await tab.shoot(`hostile-${view.toLowerCase()}`);
});

it("survives them in findings, whose buttons lead to every one", async () => {
  await tab.frame.getByRole("tab", { name: /^Findings/ }).click();
  const rows = tab.frame.locator(".fd tbody tr");
  const named = handover.runs[RUN].findings.map((each) => each.node);
  await eventually(
    () => rows.count(),
    (count) => count === new Set(named).size,
  );
  const seen: string[] = [];
  for (let index = 0; index < (await rows.count()); index += 1) {
    await rows.nth(index).locator(".fd-node button").click();
    seen.push((await tab.frame.locator(".panel-path").getAttribute("title"))!);
  }
  expect(seen.sort()).toEqual([...new Set(named)].sort());
  expect(await damage()).toEqual([]);
  await tab.shoot("hostile-findings-rows");
});

it("survives them in a narrow frame", async () => {
  for (const view of ["nodes", "findings", "matrix"]) {
    const place: Readonly<Record<string, string>> = view === "nodes" ? {} : { nodes: "0", view };
    const narrow = await Tab.open({ link: { run: RUN, node: NAMES[3], ...place }, width: 480, height: 800 });
    await narrow.frame.locator("[data-panel] h2").first().waitFor();
    await narrow.page.waitForTimeout(700);
    await narrow.shoot(`hostile-narrow-${view}`);
    const { over, foreign, outside } = await (
      await narrow.inside()
    ).evaluate(() => ({
      over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      foreign: document.querySelectorAll("img, iframe, object, embed").length,
      outside: [...document.querySelectorAll(".panel-head .btn, header button, header select")]
        .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
        .map((each) => each.getAttribute("aria-label") ?? each.textContent),
    }));
    expect({ over, foreign, outside }).toEqual({ over: 0, foreign: 0, outside: [] });
    await narrow.close();
  }
});

it("gives them away as they are: in tables every name is one cell, in pictures it is text", async () => {
  const save = async (...buttons: readonly string[]): Promise<{ name: string; text: string }> => {
    const saved = tab.page.waitForEvent("download");
    for (const name of buttons) await tab.frame.getByRole("button", { name }).first().click();
    const download = await saved;
    return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
  };
  await tab.frame.getByRole("tab", { name: /^Findings/ }).click();
  await tab.frame.locator(".fd tbody tr").first().waitFor();
  const findings = await save(".csv");
  const [head, ...rows] = cells(findings.text);
  expect(rows.every((row) => row.length === head.length)).toBe(true);
  const named = new Set(rows.map((row) => row[head.indexOf("node")].replace(/^'/, "")));
  expect(named).toEqual(new Set(handover.runs[RUN].findings.map((each) => each.node)));

  await tab.frame.getByRole("tab", { name: "Matrix" }).click();
  await tab.frame.locator(".mx-label").first().waitFor();
  await tab.page.waitForTimeout(1000);
  const table = await save("Export the matrix", "CSV of the numbers");
  const nodes = new Set(
    cells(table.text)
      .slice(1)
      .map((row) => row[0].replace(/^'/, "")),
  );
  for (const name of NAMES.filter((each) => each !== "<b>available</b>")) expect(nodes, name).toContain(name);
  const picture = await save("Export the matrix", "SVG");
  const elements = await tab.page.evaluate((text) => {
    const { documentElement: root } = new DOMParser().parseFromString(text, "image/svg+xml");
    return [...new Set([root, ...root.querySelectorAll("*")].map((each) => each.localName))].sort();
  }, picture.text);
  expect(elements).not.toContain("parsererror");
  expect(elements).not.toContain("script");
  expect(elements).not.toContain("img");
  for (const { name } of [findings, table, picture]) expect(name).not.toMatch(/[<>:"/\\|?*]/);
});

/** A CSV file as RFC 4180 reads it. */
function cells(csv: string): string[][] {
  return csv
    .trim()
    .split(/\r\n/)
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? plain : quoted.replaceAll('""', '"'),
      ),
    );
}

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
