/* What a user does in each view, with the pointer, and what must then be on screen. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatCount, formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const SECOND = "second/train";
const { steps, nodes, findings } = handover.runs[RUN];
const STEP = 350;

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, step: String(STEP) } });
  await tab.row("head/dense").waitFor();
});
afterEach(async () => tab.close());

const shownNodes = (): Promise<string[]> =>
  tab.frame.locator("[role=row][data-path]").evaluateAll((rows) => rows.map((row) => row.dataset.path ?? ""));

async function unfold(): Promise<void> {
  const closed = tab.frame.locator("[role=row][aria-expanded=false] .tw");
  while ((await closed.count()) > 0) await closed.first().click();
}

describe("the list", () => {
  it("sorts by a statistic", async () => {
    await tab.frame.getByRole("combobox", { name: "Order of nodes" }).selectOption("-l2_norm");
    const recorded = nodes.filter((node) => node.state === "materialized").map((node) => node.name);
    const norm = (name: string): number => expectedNumber(RUN, name, "value", STEP, "l2_norm");
    const expected = [...recorded].sort((a, b) => norm(b) - norm(a));
    await eventually(
      async () => (await shownNodes()).filter((name) => recorded.includes(name)),
      (found) => found.join() === expected.join(),
    );
  });

  it("filters by state, kind and regular expression", async () => {
    const only = async (expected: readonly string[]): Promise<void> => {
      const names = new Set(nodes.map((node) => node.name));
      await eventually(
        async () => (await shownNodes()).filter((path) => names.has(path)),
        (found) => expected.every((name) => found.includes(name)),
      );
      expect(await tab.frame.locator(".lh-name").textContent()).toContain(`${expected.length} of ${nodes.length}`);
    };
    const state = tab.frame.getByRole("combobox", { name: "State" });
    await state.selectOption("unreachable");
    await only(nodes.filter((node) => node.state === "unreachable").map((node) => node.name));
    await state.selectOption("all");
    const kind = tab.frame.getByRole("combobox", { name: "Kind" });
    await kind.selectOption("variable");
    await only(nodes.filter((node) => node.kind === "variable").map((node) => node.name));
    await kind.selectOption("all");
    await tab.frame.getByRole("button", { name: "Regular expression" }).click();
    await tab.frame.getByLabel("Search nodes").fill("^(encoder|head)/[cd]");
    await only(nodes.filter((node) => /^(encoder|head)\/[cd]/.test(node.name)).map((node) => node.name));
  });

  it("shows another statistic of everything", async () => {
    await tab.frame.getByRole("combobox", { name: "Statistic" }).selectOption("max");
    await unfold();
    for (const name of ["image", "encoder/conv2d/kernel", "loss"]) {
      const expected = formatNumber(expectedNumber(RUN, name, "value", STEP, "max"));
      await eventually(
        async () => (await tab.row(name).locator(".num").textContent()) ?? "",
        (text) => text === expected,
      );
    }
  });
});

describe("the matrix", () => {
  it("goes to the node and the step of a cell", async () => {
    await tab.frame.getByRole("tab", { name: "Matrix" }).click();
    const plot = tab.frame.getByRole("group", { name: /of value of \d+ nodes over steps/ });
    const label = tab.frame.locator(".mx-label", { hasText: "attention" });
    await label.waitFor();
    const [area, row] = [await plot.boundingBox(), await label.boundingBox()];
    if (area === null || row === null) throw new Error("The matrix has no area.");
    await tab.page.mouse.click(area.x + area.width * 0.7, row.y + row.height / 2);
    await eventually(
      () => tab.row("encoder/attention").getAttribute("aria-selected"),
      (selected) => selected === "true",
    );
    const step = await eventually(
      () => tab.step(),
      (at) => at !== STEP,
    );
    expect(steps).toContain(step);
    expect(Math.abs(step / steps[steps.length - 1] - 0.7)).toBeLessThan(0.02);
  });
});

describe("findings", () => {
  it("are those of the rules in their order, a row for each rule and node, and lead to node and step", async () => {
    expect(findings.length).toBeGreaterThan(0);
    // The first episode is the last that is set.
    const episodes = new Map([...findings].reverse().map((each) => [`${each.title} ${each.node}`, each]));
    await tab.frame.getByRole("tab", { name: /^Findings/ }).click();
    const rows = tab.frame.locator(".fd tbody tr");
    await eventually(
      () => rows.count(),
      (count) => count === episodes.size,
    );
    const texts = await rows.allInnerTexts();
    [...new Set(findings.map((each) => `${each.title}\n${each.node}`))].forEach((named, at) => {
      for (const word of named.split("\n")) expect(texts[at]).toContain(word);
    });
    const text = (await tab.frame.locator(".fd").innerText()).replace(/\s+/g, " ");
    for (const finding of episodes.values()) {
      expect(text).toContain(finding.title);
      expect(text).toContain(finding.sentence.replaceAll("`", "").replace(/\s+/g, " "));
    }
    const finding = findings.find((each) => each.node !== "");
    if (finding === undefined) return;
    const row = rows.filter({ hasText: finding.node }).filter({ hasText: finding.title }).first();
    await row.getByRole("button", { name: formatCount(finding.first_step), exact: true }).click();
    await eventually(
      () => tab.step(),
      (at) => at === finding.first_step,
    );
    expect(await tab.frame.locator(".panel-path").getAttribute("title")).toBe(finding.node);
  });

  it("tell what to try where it stands first, and at others when asked", async () => {
    await tab.frame.getByRole("tab", { name: /^Findings/ }).click();
    const rows = tab.frame.locator(".fd tbody tr");
    await rows.first().waitFor();
    const plain = (text: string): string => text.replaceAll("`", "").replace(/\s+/g, " ");
    const texts = (await rows.allInnerTexts()).map(plain);
    const ofRows = new Map([...findings].reverse().map((each) => [`${each.title} ${each.node}`, each]));
    const order = [...new Set(findings.map((each) => `${each.title} ${each.node}`))];
    const told = new Set<string>();
    for (const [at, named] of order.entries()) {
      const { remedy, consequence_of } = ofRows.get(named)!;
      const isFirst = consequence_of === null && !told.has(remedy);
      expect(texts[at].includes(plain(remedy)), named).toBe(isFirst);
      if (isFirst) told.add(remedy);
    }
    expect(told.size).toBeGreaterThan(0);
    const folded = rows.filter({ has: tab.frame.locator("details") }).first();
    await folded.getByText("What to do").press("Enter");
    const finding = ofRows.get(order[texts.findIndex((text) => text.includes("What to do"))])!;
    expect(plain(await folded.innerText())).toContain(plain(finding.remedy));
  });
});

it("rules that could not be applied have not found that all is well", async () => {
  const other = await Tab.open({ link: { run: RUN } });
  const report = {
    run: RUN,
    pending: false,
    findings: [],
    quiet: [],
    checked_captures: 0,
    problems: ["The graph is too large."],
  };
  await other.page.route(/tb_activations\/findings/, (route) => route.fulfill({ json: report }));
  await other.page.reload();
  await other.frame.getByRole("button", { name: "not all checked" }).click();
  const note = other.frame.locator(".fd-note");
  await note.getByText("The graph is too large.").waitFor();
  expect(await note.innerText()).not.toContain("Nothing found");
  await other.close();
});

it("a finding that only the other run has leads to the other run", async () => {
  const other = await Tab.open({ link: { run: SECOND, compare_run: RUN, view: "findings" } });
  const finding = findings.find((each) => each.node === "head/dense" && each.first_step === handover.firstNan)!;
  const row = other.frame.locator(".fd tbody tr", { hasText: finding.title }).filter({ hasText: finding.node }).first();
  await row.getByText(`only in ${RUN}`).waitFor();
  await other.shoot("findings-other-run");
  await row.getByRole("button", { name: formatCount(finding.first_step), exact: true }).click();
  await eventually(
    () => other.place(),
    (place) =>
      place.run === RUN &&
      place.compare_run === SECOND &&
      place.node === finding.node &&
      place.step === String(finding.first_step),
  );
  expect(await other.step()).toBe(finding.first_step);
  await other.close();
});

describe("comparison", () => {
  const difference = (node: string, other: number): string => {
    const change = expectedNumber(RUN, node, "value", STEP, "std") - other;
    return `${change > 0 ? "+" : ""}${formatNumber(change)}`;
  };
  const column = (node: string): Promise<string> =>
    tab
      .row(node)
      .locator(".num")
      .nth(1)
      .textContent()
      .then((text) => text ?? "");

  it("with another run shows differences at the same step", async () => {
    await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
    for (const node of ["image", "encoder/pool"]) {
      const expected = difference(node, expectedNumber(SECOND, node, "value", STEP, "std"));
      await eventually(
        () => column(node),
        (text) => text === expected,
      );
    }
    await tab.shoot("compare-run");
  });

  it("with another step shows differences to it", async () => {
    await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption("step:here");
    await tab.ruler.focus();
    await tab.page.keyboard.press("End");
    const last = steps[steps.length - 1];
    await eventually(
      () => tab.step(),
      (at) => at === last,
    );
    const change =
      expectedNumber(RUN, "image", "value", last, "std") - expectedNumber(RUN, "image", "value", STEP, "std");
    await eventually(
      () => column("image"),
      (text) => text === `${change > 0 ? "+" : ""}${formatNumber(change)}`,
    );
  });
});

describe("steps", () => {
  it("play and pause", async () => {
    await tab.frame.getByRole("button", { name: /^Play/ }).click();
    await eventually(
      () => tab.step(),
      (at) => at > STEP + 7,
    );
    await tab.frame.getByRole("button", { name: /^Pause/ }).click();
    const paused = await tab.step();
    await tab.page.waitForTimeout(1200);
    expect(await tab.step()).toBe(paused);
    expect(steps).toContain(paused);
  });

  it("go where the ruler is pressed", async () => {
    const area = await tab.ruler.boundingBox();
    if (area === null) throw new Error("The ruler has no area.");
    await tab.page.mouse.click(area.x + area.width * 0.25, area.y + area.height / 2);
    const step = await eventually(
      () => tab.step(),
      (at) => at !== STEP,
    );
    expect(steps).toContain(step);
    expect(Math.abs(step / steps[steps.length - 1] - 0.25)).toBeLessThan(0.03);
  });
});

describe("a click on a node of the graph", () => {
  it("selects it in the list and the panel", async () => {
    const graph = tab.frame.locator("#upper-view canvas").first();
    const area = await graph.boundingBox();
    if (area === null) throw new Error("The graph has no area.");
    // The picture is a canvas: look for a box by hovering until the tip names a node, then click there.
    const names = nodes.map((node) => node.name);
    for (let y = 0.1; y < 1; y += 0.08) {
      for (let x = 0.05; x < 1; x += 0.04) {
        const [px, py] = [area.x + area.width * x, area.y + area.height * y];
        await tab.page.mouse.move(px, py);
        const tip = tab.frame.locator("#upper-view .tip");
        const text = (await tip.count()) > 0 ? await tip.first().locator(".tip-path").innerText() : "";
        const name = names.find((each) => text.trim().startsWith(`${each} `));
        if (name === undefined) continue;
        await tab.page.mouse.click(px, py);
        await eventually(
          () => tab.frame.locator(".panel-path").getAttribute("title"),
          (title) => title === name,
        );
        return;
      }
    }
    throw new Error("No node of the graph was found.");
  });
});

describe("where there is little room", () => {
  /** By how many CSS pixels something is wider than what it is cut to. */
  const cut = (element: SVGElement | HTMLElement): number => element.scrollWidth - element.clientWidth;

  it.each([
    [390, "head/dense"],
    [700, "head/dense/kernel"],
  ])("a panel of %d pixels names its node and what was found there whole", async (width, node) => {
    const link = { run: RUN, node, nodes: "0", view: "graph" };
    const small = await Tab.open({ link, width, expect: ".panel-head .chip" });
    await small.shoot(`panel-${width}`);
    const head = small.frame.locator(".panel-head");
    expect(await head.locator(".panel-path b").evaluate(cut)).toBeLessThanOrEqual(0);
    for (const chip of await head.locator(".chip").all()) expect(await chip.evaluate(cut)).toBeLessThanOrEqual(0);
    expect(await head.evaluate(cut)).toBeLessThanOrEqual(0);
    await small.close();
  });

  it.each([1280, 1440])(
    "the tools of the graph stay in sight beside a list of many columns at %d pixels",
    async (width) => {
      const link = { run: RUN, sort: "mean", columns: "finding,history,difference,class,shape" };
      const wide = await Tab.open({ link, width });
      await wide.frame.locator(".lh", { hasText: "shape" }).waitFor();
      expect(await wide.frame.locator(".tabs").evaluate(cut)).toBeLessThanOrEqual(0);
      await wide.close();
    },
  );
});
