/* The list of nodes: its columns, filters and orders, and what it says where a filter is wrong. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const SECOND = "second/train";
const STEP = 350;
const { nodes, findings } = handover.runs[RUN];
const RECORDED = nodes.filter((node) => node.state === "materialized").map((node) => node.name);

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, step: String(STEP) } });
  await tab.row("head/dense").waitFor();
});
afterEach(async () => tab.close());

const shownNodes = (): Promise<string[]> =>
  tab.frame
    .locator("[role=row][data-path]")
    .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.path ?? ""));

const inOrder = (expected: readonly string[]): Promise<string[]> =>
  eventually(
    async () => (await shownNodes()).filter((name) => expected.includes(name)),
    (found) => found.join() === expected.join(),
  );

it("adds and takes away columns, and each says its number", async () => {
  await tab.frame.getByRole("button", { name: "Columns" }).click();
  const menu = tab.frame.locator(".popover-body");
  for (const label of ["max", "class"]) await menu.getByText(label, { exact: true }).click();
  await menu.getByText("history", { exact: true }).click();
  await tab.shoot("columns");
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.page.keyboard.press("Escape");
  await menu.waitFor({ state: "detached" });
  for (const name of ["image", "encoder/pool", "head/dense"]) {
    const cells = await tab.row(name).getByRole("gridcell").allInnerTexts();
    expect(cells).toContain(formatNumber(expectedNumber(RUN, name, "value", STEP, "max")));
  }
  expect(await tab.row("encoder/pool").innerText()).toContain("MaxPooling2D");
  expect(await tab.frame.locator(".sparks").count()).toBe(0);
  const { columns } = await eventually(
    () => tab.place(),
    (place) => place.columns !== undefined,
  );
  expect(columns.split(",").sort()).toEqual(["class", "finding", "number", "statistic:max"]);
});

it("leaves the nodes with a finding", async () => {
  const filter = tab.frame.getByRole("combobox", { name: "Finding" });
  for (const [choice, passes] of [
    ["any", () => true],
    ["warning", (severity: string) => severity === "warning"],
    ["error", (severity: string) => severity === "error"],
  ] as const) {
    await filter.selectOption(choice);
    const expected = new Set(findings.filter((each) => passes(each.severity)).map((each) => each.node));
    await eventually(
      async () => (await shownNodes()).filter((name) => expected.has(name)),
      (found) => found.length === expected.size,
    );
    expect(await tab.frame.locator(".lh-name").innerText()).toContain(`${expected.size} of ${nodes.length}`);
  }
});

it("is ordered by the statistic whose head is pressed, largest first, smallest first, and as it is executed", async () => {
  const page = await Tab.open({ link: { run: RUN, step: String(STEP), columns: "number,statistic:max" } });
  await tab.close();
  tab = page;
  const max = (name: string): number => expectedNumber(RUN, name, "value", STEP, "max");
  const largest = [...RECORDED].sort((a, b) => max(b) - max(a));
  const head = tab.frame.locator("button.sort", { hasText: "max" });
  await head.click();
  await inOrder(largest);
  await head.click();
  await inOrder([...largest].reverse());
  await head.click();
  const tops = RECORDED.filter((name) => !nodes.some((node) => name.startsWith(`${node.name}/`)));
  await inOrder(tops);
});

it("is ordered by the size of the difference where two runs are compared", async () => {
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  const number = (run: string, name: string): number => {
    const column = name === "loss" ? "mean" : "std"; // a scalar has no spread: its value stands there
    return expectedNumber(run, name, "value", STEP, column);
  };
  const size = (name: string): number => Math.abs(number(RUN, name) - number(SECOND, name));
  await inOrder([...RECORDED].sort((a, b) => size(b) - size(a)));
  expect(await tab.frame.getByRole("combobox", { name: "Order of nodes" }).inputValue()).toBe("-difference");
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption("none");
  await eventually(
    () => tab.frame.getByRole("combobox", { name: "Order of nodes" }).inputValue(),
    (value) => value === "",
  );
});

it("cuts the beginning of a path off before its end", async () => {
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  await tab.row("head/dense/kernel").locator(".path").waitFor();
  await tab.frame.getByRole("separator", { name: "Width of the list" }).focus();
  await tab.page.keyboard.press("Home");
  const hidden = await tab.frame.locator(".row .path").evaluateAll((all) =>
    all.map((room) => {
      const [seen, whole] = [room.getBoundingClientRect(), room.lastElementChild!.getBoundingClientRect()];
      return { before: seen.left - whole.left, after: whole.right - seen.right };
    }),
  );
  expect(hidden.some(({ before }) => before > 1)).toBe(true);
  expect(Math.max(...hidden.map(({ after }) => after))).toBeLessThan(1);
  expect(await tab.row("head/dense/kernel").locator(".nm").getAttribute("title")).toBe("head/dense/kernel");
});

it("says in its place why a text is no regular expression", async () => {
  await tab.frame.getByRole("button", { name: "Regular expression" }).click();
  await tab.frame.getByLabel("Search nodes").fill("dense(");
  const words = tab.frame.getByRole("treegrid").getByText(/This is not a regular expression: .*dense\(.*/);
  await words.waitFor();
  expect(await tab.frame.getByLabel("Search nodes").getAttribute("title")).toContain("Unterminated group");
  await tab.shoot("regex-error");
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.frame.getByRole("button", { name: "Clear filters" }).click();
  await tab.row("image").waitFor();
});

it("leaves room for the order beside the columns of a comparison", async () => {
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  const order = tab.frame.getByRole("combobox", { name: "Order of nodes" });
  await order.selectOption({ label: "execution order" });
  // What the select would take if nothing held it back.
  const missing = await order.evaluate((select) => {
    const free = select.cloneNode(true) as HTMLElement;
    select.parentElement?.append(free);
    Object.assign(free.style, { position: "absolute", width: "max-content" });
    const wanted = free.offsetWidth;
    free.remove();
    return wanted - (select as HTMLElement).offsetWidth;
  });
  expect(missing).toBeLessThanOrEqual(0);
});

it("leaves names their room, however many columns were chosen", async () => {
  const script = (): void =>
    localStorage.setItem(
      "tb_activations.columns",
      "class,kind,shape,statistic:min,statistic:max,number,history,finding",
    );
  const narrow = await Tab.open({ link: { run: RUN }, width: 1024, height: 768, script });
  await narrow.row("head/dense").waitFor();
  const name = await narrow.row("head/dense").locator(".nm").boundingBox();
  expect(name?.width).toBeGreaterThan(100);
  await narrow.shoot("columns-narrow");
  await narrow.close();
});

it("is a tree again when another run is opened, and nothing is compared by that", async () => {
  const order = tab.frame.getByRole("combobox", { name: "Order of nodes" });
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  await eventually(() => order.inputValue(), (chosen) => chosen === "-difference"); // prettier-ignore
  await tab.frame.getByRole("combobox", { name: "Run" }).selectOption(SECOND);
  await eventually(() => order.inputValue(), (chosen) => chosen === ""); // prettier-ignore
  await tab.frame.locator(".tw.open").first().waitFor();
});

it("folds nothing while a search is on", async () => {
  const address = (): Promise<string> => tab.page.evaluate(() => decodeURIComponent(location.hash));
  const folds = (hash: string): string | undefined => /folds=[^&]*/.exec(hash)?.[0];
  // The node that the page chooses by itself is there, and what is above it has opened.
  const before = folds(await eventually(address, (hash) => hash.includes("node=")));
  await tab.frame.getByLabel("Search nodes").fill("kernel");
  await eventually(() => tab.row("image").count(), (count) => count === 0); // prettier-ignore
  const found = await shownNodes();
  await tab.row("head").locator(".tw").click();
  await tab.frame.getByRole("button", { name: "Clear the search" }).click();
  expect(await tab.frame.locator(":focus").getAttribute("aria-label")).toBe("Search nodes");
  await tab.row("image").waitFor();
  expect(found.every((path) => path !== "image")).toBe(true);
  await tab.row("head/dense").waitFor();
  expect(folds(await address())).toBe(before);
});
