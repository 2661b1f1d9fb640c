/* Everything works without a pointer, and what the keys do is what the help says. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { eventually, handover, quit, Tab } from "./harness";

afterAll(quit);

const { steps } = handover.runs["digits/train"];

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: "digits/train" } });
  await tab.row("image").waitFor();
});
afterEach(async () => tab.close());

async function press(...keys: string[]): Promise<void> {
  for (const key of keys) await tab.page.keyboard.press(key);
}

async function selected(): Promise<string | null> {
  const rows = tab.frame.locator("[role=row][aria-selected=true]");
  return (await rows.count()) === 0 ? null : rows.first().getAttribute("data-path");
}

const becomes = (path: string | null): Promise<string | null> => eventually(selected, (now) => now === path);

it("walks the list with arrows, opens and closes scopes, and finds by typing", async () => {
  await tab.frame.getByRole("treegrid").focus();
  await press("Home");
  await becomes("image");
  await press("ArrowDown", "ArrowDown");
  await becomes("encoder/conv2d");
  await press("ArrowRight");
  await tab.row("encoder/conv2d/kernel").waitFor();
  await press("ArrowDown");
  await becomes("encoder/conv2d/kernel");
  await press("ArrowUp", "ArrowLeft");
  await tab.row("encoder/conv2d/kernel").waitFor({ state: "detached" });
  await press("End");
  await becomes("loss");
  await tab.page.keyboard.type("look");
  await becomes("lookup");
});

it("acts at once on a page that was opened at this tab, and after the last finding comes the first", async () => {
  const { findings } = handover.runs["digits/train"];
  await press("3");
  await tab.frame.getByRole("tab", { name: /Findings/, selected: true }).waitFor();
  await press("n");
  const first = Math.min(...findings.map((finding) => finding.first_step));
  await eventually(
    () => tab.step(),
    (step) => step === first,
  );
});

it("goes from the list to the panel and back", async () => {
  await tab.frame.getByRole("treegrid").focus();
  await press("Home", "Enter");
  const focused = (): Promise<string> =>
    tab.frame.locator(":focus").evaluate((element) => `${element.tagName} ${element.getAttribute("role") ?? ""}`);
  await eventually(focused, (name) => name.startsWith("SECTION"));
  expect(await tab.frame.locator("[data-panel]").innerText()).toContain("image");
  await press("Escape");
  await eventually(focused, (name) => name.endsWith("treegrid"));
});

it("moves through the captures", async () => {
  await tab.ruler.focus();
  const at = (index: number): Promise<number> =>
    eventually(
      () => tab.step(),
      (step) => step === steps.at(index),
    );
  await press("Home");
  await at(0);
  await press("ArrowRight", "Shift+ArrowRight");
  await at(11);
  await press("PageUp", "ArrowLeft");
  await at(20);
  await press("End");
  await at(-1);
});

it("chooses views, quantities, and searches", async () => {
  await tab.row("encoder/conv2d").click();
  const chosen = (list: string): Promise<string> =>
    tab.frame.getByRole("tablist", { name: list }).locator("[aria-selected=true]").innerText();
  for (const [key, view] of [
    ["2", "Matrix"],
    ["3", "Findings"],
    ["1", "Graph"],
  ]) {
    await press(key);
    await eventually(
      () => chosen("View"),
      (text) => text.startsWith(view),
    );
  }
  for (const [key, quantity] of [
    ["g", "gradient"],
    ["u", "update"],
    ["v", "value"],
  ]) {
    await press(key);
    await eventually(
      () => chosen("Quantity"),
      (text) => text.trim().startsWith(quantity),
    );
  }
  await press("/");
  await tab.page.keyboard.type("kernel");
  await tab.row("encoder/conv2d/kernel").waitFor();
  expect(await tab.row("image").count()).toBe(0);
  await press("Escape");
  await tab.row("image").waitFor();
});

it("lists the keys, and gives the focus back", async () => {
  await tab.ruler.focus();
  await press("?");
  const dialog = tab.frame.getByRole("dialog");
  expect(await dialog.innerText()).toContain("Next capture");
  await press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(await tab.frame.locator(":focus").getAttribute("role")).toBe("slider");
});

const CONTROLS =
  "a[href], button, select, input, summary, [tabindex], [role=slider], [role=separator], [role=tab], [role=treegrid]";

/** What a user could press or move with the pointer, marked by a number, and which of them Tab came to. */
async function walk(): Promise<{ missed: string[]; unmarked: string[]; backwards: string[] }> {
  const frame = await tab.inside();
  await frame.evaluate((controls) => {
    // What a closed <details> holds has rectangles, and can't be seen.
    const shown = (element: Element): boolean =>
      element.getClientRects().length > 0 && element.checkVisibility() && element.closest(".sr") === null;
    [...document.querySelectorAll(controls)].filter(shown).forEach((element, index) => {
      element.setAttribute("data-number", String(index));
    });
    // Where Tab comes in.
    document.querySelector<HTMLElement>("header select")!.focus();
  }, CONTROLS);
  const [seen, unmarked, backwards] = [new Set<string>(), [] as string[], [] as string[]];
  for (let last = -1, count = 0; count < 200; count += 1) {
    const focus = await frame.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body || !document.hasFocus()) return null;
      // A select is marked by its label, a search field by its frame, the list by its active row.
      const active = document.getElementById(element.getAttribute("aria-activedescendant") ?? "");
      const marked = [element, element.closest("label, .inp"), active].some((each) => {
        const style = each === null ? null : getComputedStyle(each);
        return style !== null && (style.outlineStyle !== "none" || style.boxShadow !== "none");
      });
      const name = `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent ?? ""}`.slice(0, 60);
      return {
        name,
        number: element.getAttribute("data-number") ?? "",
        marked,
        inside: element.getClientRects().length > 0,
      };
    });
    if (focus === null || seen.has(focus.number)) break;
    seen.add(focus.number);
    if (!focus.marked || !focus.inside) unmarked.push(focus.name);
    if (Number(focus.number) < last) backwards.push(focus.name);
    last = Number(focus.number);
    await press("Tab");
  }
  const missed = await frame.evaluate(
    (numbers) => {
      /** One of a group stands for all: arrows lead to the others. */
      const passed = (element: HTMLElement): boolean =>
        (element as HTMLButtonElement).disabled ||
        (element.tabIndex < 0 &&
          element.closest("[role=tablist], [role=group], [role=treegrid], [data-panel]") !== null);
      return [...document.querySelectorAll<HTMLElement>("[data-number]")]
        .filter((element) => !numbers.includes(element.dataset.number ?? "") && !passed(element))
        .map((element) => `${element.tagName} ${element.getAttribute("aria-label") ?? element.textContent ?? ""}`);
    },
    [...seen],
  );
  return { missed, unmarked, backwards };
}

it.each([
  ["graph", { node: "encoder/conv2d" }],
  ["matrix", { node: "head/dense", view: "matrix" }],
  ["findings", { node: "head/dense/kernel", view: "findings" }],
  ["reason", { node: "unused" }],
  ["table", { node: "head/dense", picture: "table", step: "448" }],
  ["comparison", { node: "encoder/pool", compare_run: "second/train" }],
  ["updates", { node: "encoder/conv2d/kernel", quantity: "update" }],
  ["attention, enlarged", { node: "encoder/attention", enlarged: "1" }],
  ["tables of charts", { node: "encoder/conv2d", tables: "histogram,statistics" }],
])("reaches every control of %s by Tab, in the order of the page, with the focus in sight", async (_, link) => {
  const page = await Tab.open({ link: { run: "digits/train", ...link } });
  await tab.close();
  tab = page;
  await tab.row("image").waitFor();
  await tab.frame.locator("[data-panel] h2").first().waitFor();
  await tab.page.waitForTimeout(1000);
  expect(await walk()).toEqual({ missed: [], unmarked: [], backwards: [] });
});

it("moves over the graph with arrows and selects what it stands on", async () => {
  const graph = tab.frame.locator("#upper-view [tabindex='0']").last();
  await graph.focus();
  await press("ArrowDown", "ArrowDown", "Enter");
  const path = await eventually(selected, (now) => now !== null);
  expect(handover.runs["digits/train"].nodes.map((node) => node.name)).toContain(path);
});

it("goes through the items of a menu with arrows, and back to its button with Escape", async () => {
  await tab.row("encoder/conv2d").click();
  const button = tab.frame.getByRole("button", { name: "Statistics", exact: true });
  await button.focus();
  await press("Enter", "ArrowDown", "ArrowDown");
  const boxes = tab.frame.locator(".check-list input");
  const focused = (): Promise<number> =>
    boxes.evaluateAll((all) => all.findIndex((each) => each === document.activeElement));
  expect(await focused()).toBe(1);
  await press("ArrowUp");
  expect(await focused()).toBe(0);
  expect(await selected()).toBe("encoder/conv2d");
  await press("Escape");
  expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
  expect(await boxes.count()).toBe(0);
});

it("goes on at the first of the findings that were asked for", async () => {
  await tab.page.route(/tb_activations\/findings/, async (route) => {
    const answer = await route.fetch();
    const report = (await answer.json()) as { findings: object[] };
    const many = Array.from({ length: 130 }, (_, index) => ({ ...report.findings[0], node: `node ${index}` }));
    await route.fulfill({ response: answer, json: { ...report, findings: many } });
  });
  await tab.page.reload();
  await tab.row("image").waitFor();
  await tab.frame.getByRole("tab", { name: /Findings/ }).click();
  const more = tab.frame.getByRole("button", { name: "Show 30 more" });
  await more.focus();
  await press("Enter");
  await eventually(
    () => tab.frame.locator(":focus").innerText(),
    (text) => text === "node 100",
  );
  expect(await tab.frame.locator(".fd tbody tr").count()).toBe(130);
});
