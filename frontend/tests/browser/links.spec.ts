/* Every state has an address that survives a reload, going back, and TensorBoard's own tabs. */
import type { Frame } from "playwright-core";
import { afterAll, expect, it } from "vitest";
import { eventually, handover, quit, Tab } from "./harness";

afterAll(quit);

const PLACE = { run: "digits/train", node: "encoder/conv2d", step: "350", quantity: "gradient", view: "matrix" };

async function expectPlace(tab: Tab): Promise<void> {
  await eventually(
    () => tab.step(),
    (step) => step === 350,
  );
  expect(await tab.row("encoder/conv2d").getAttribute("aria-selected")).toBe("true");
  expect(await tab.frame.getByRole("tab", { name: "Matrix" }).getAttribute("aria-selected")).toBe("true");
  await eventually(
    () => tab.frame.locator(".strip").innerText(),
    (text) => text.includes("step 350") && text.includes("gradient"),
  );
}

it("opens what a link names, and so does a reload", async () => {
  const tab = await Tab.open({ link: PLACE });
  await expectPlace(tab);
  await tab.page.reload();
  await tab.frame.locator("main").waitFor();
  await expectPlace(tab);
  await tab.close();
});

it("says of a node that is gone that it is, and goes on with another", async () => {
  const tab = await Tab.open({ link: { ...PLACE, node: "gone" } });
  await eventually(
    () => tab.frame.getByRole("region", { name: "Node", exact: true }).innerText(),
    (text) => text === "This run has no node gone. Choose a node to see its values.",
  );
  await tab.row("encoder/conv2d").click();
  await expectPlace(tab);
  await tab.close();
});

it("writes where it is into the address, and going back goes back", async () => {
  const tab = await Tab.open({ link: { run: "digits/train", node: "encoder/conv2d" } });
  const hash = (): Promise<string> => tab.page.evaluate(() => decodeURIComponent(location.hash));
  await tab.row("head/dense").click();
  await eventually(hash, (text) => text.includes("node=head/dense"));
  await tab.row("image").click();
  await eventually(hash, (text) => text.includes("node=image"));
  await tab.page.goBack();
  await eventually(
    () => tab.row("head/dense").getAttribute("aria-selected"),
    (selected) => selected === "true",
  );
  await tab.close();
});

/** What the document does meanwhile: changes of its elements, frames it asks for, and sizes it asks for. */
async function workWhile(frame: Frame, wait: () => Promise<void>): Promise<Record<string, number>> {
  await frame.evaluate(() => {
    const work = { changes: 0, frames: 0, measures: 0 };
    new MutationObserver((changes) => (work.changes += changes.length)).observe(document, {
      ...{ subtree: true, childList: true, attributes: true, characterData: true },
    });
    const request = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (call) => {
      work.frames += 1;
      return request(call);
    };
    const measure: (this: Element) => DOMRect = Reflect.get(Element.prototype, "getBoundingClientRect");
    Element.prototype.getBoundingClientRect = function () {
      work.measures += 1;
      return measure.call(this);
    };
    Object.assign(window, { work });
  });
  await wait();
  return frame.evaluate(() => (window as unknown as { work: Record<string, number> }).work);
}

it("comes back as it was from another tab of TensorBoard, and asks nothing meanwhile", async () => {
  const tab = await Tab.open({ link: PLACE });
  await expectPlace(tab);
  await tab.page.getByRole("tab", { name: "Time Series" }).click();
  await tab.page.waitForTimeout(500);
  const before = tab.requests.length;
  const work = await workWhile(await tab.inside(), () => tab.page.waitForTimeout(8000));
  expect(tab.requests.slice(before)).toEqual([]);
  expect(work).toEqual({ changes: 0, frames: 0, measures: 0 });
  await tab.page.getByRole("tab", { name: "Activations" }).click();
  await expectPlace(tab);
  await eventually(
    () => Promise.resolve(tab.requests.length),
    (count) => count > before,
  );
  await tab.close();
});

it("goes to the recorded step nearest to that of the link, and says so", async () => {
  const tab = await Tab.open({ link: { ...PLACE, step: "352" } });
  await expectPlace(tab);
  const words = tab.frame.getByText("Step 352 of the address isn't recorded. You see step 350, the nearest one.");
  await words.waitFor();
  expect(tab.requests.filter((url) => url.includes("step=352"))).toEqual([]);
  await tab.ruler.focus();
  await tab.page.keyboard.press("ArrowRight");
  await words.waitFor({ state: "detached" });
  await tab.close();
});

interface Place {
  /** The keys of the address. */
  readonly link: Readonly<Record<string, string>>;
  /** Name of a select → what it shows. */
  readonly selects?: Readonly<Record<string, string>>;
  /** Selectors of what is on screen. */
  readonly shown?: readonly string[];
  readonly width?: number;
}

/** Every key of an address, in places that show it. */
const PLACES: Readonly<Record<string, Place>> = {
  list: {
    link: {
      ...{ statistic: "max", state: "materialized", kind: "variable", search: "ker", regex: "1", finding: "any" },
      ...{ sort: "-max", columns: "class,number" },
    },
    selects: { Statistic: "max", State: "materialized", Kind: "variable", Finding: "any", "Order of nodes": "-max" },
    shown: ["[aria-label='Regular expression'][aria-pressed=true]", "[role=gridcell]:text('Variable')"],
  },
  folds: {
    link: { folds: "encoder,head/dense" },
    shown: ["[data-path=encoder][aria-expanded=false]", "[data-path='head/dense'][aria-expanded=true]"],
  },
  graph: {
    link: { node: "image", color: "findings", variables: "1", gradients: "1", open: "encoder" },
    selects: { colour: "findings" },
  },
  camera: { link: { node: "encoder/pool", camera: "0.5,0.4,2.5" } },
  matrix: {
    link: { view: "matrix", scale: "linear", domain: "row", rows: "recorded", zoom: "70-350" },
    selects: { scale: "linear", colours: "row", rows: "recorded" },
    shown: ["button:text('All steps')"],
  },
  findings: {
    link: { view: "findings", severity: "warning", rule: "update_too_large", every: "1" },
    selects: { severity: "warning", rule: "update_too_large" },
  },
  panel: {
    link: {
      ...{ node: "encoder/conv2d", step: "350", quantity: "gradient", beside: "1", example: "2", picture: "heat" },
      ...{ minus: "first", extent: "gradient:step", axis: "gradient:linear", lines: "mean,max" },
      ...{ tile: "3", line: "1", root: "1", axes: "heat:.3.1", held: "0.0.5.0" },
    },
    shown: [".stepper-text:text('column 5 of 0…13')", "button.on:text('value beside gradient')"],
  },
  bars: {
    link: { node: "head/dense/kernel", picture: "bars", sorting: "size", enlarged: "1" },
    selects: { sort: "size" },
  },
  tables: {
    link: { node: "encoder/conv2d", histogram: "ridges", tables: "histogram,statistics", page: "1" },
    shown: [
      "select[aria-label=Style][title=ridges]",
      "[role=table][aria-label='Statistics by step']",
      "[role=table][aria-label='Share of elements by step and bin']",
    ],
  },
  comparison: {
    link: { compare_run: "second/train", compare_step: "70" },
    selects: { Compare: "run:second/train" },
  },
  enlarged: { link: { node: "image", enlarged: "1" }, shown: ["button:text('Back to split')"] },
  narrow: { link: { nodes: "0", view: "findings" }, shown: [".fd table"], width: 480 },
};

it.each(Object.keys(PLACES))("what an address says of %s survives TensorBoard's tabs and a reload", async (name) => {
  const { link, selects = {}, shown = [], width } = PLACES[name];
  const tab = await Tab.open({ link: { run: "digits/train", ...link }, width });
  const expectIt = async (when: string): Promise<void> => {
    for (const [label, value] of Object.entries(selects)) {
      const select = tab.frame.getByRole("combobox", { name: label, exact: true });
      expect(
        await eventually(
          () => select.inputValue(),
          (now) => now === value,
        ),
        `${label} ${when}`,
      ).toBe(value);
    }
    for (const selector of shown) await tab.frame.locator(selector).first().waitFor();
  };
  const written = (): Promise<Readonly<Record<string, string>>> =>
    eventually(
      () => tab.place(),
      (place) => Object.entries(link).every(([key, value]) => place[key] === value),
    );
  await expectIt("as it was opened");
  if (width === undefined) {
    // The address is written anew when the tab comes back: from what the page has, not from what it was given.
    await tab.page.getByRole("tab", { name: "Time Series" }).click();
    await eventually(
      () => tab.page.evaluate(() => location.hash),
      (hash) => hash.startsWith("#timeseries"),
    );
    await tab.page.getByRole("tab", { name: "Activations" }).click();
    await expectIt("after another tab");
    await written();
  }
  await tab.page.reload();
  await tab.frame.locator("main").waitFor();
  await expectIt("after a reload");
  await written();
  await tab.close();
});

it("keeps the camera of the graph where the user moved it, through other views and a reload, until it fits again", async () => {
  const tab = await Tab.open({ link: { run: "digits/train", node: "encoder/conv2d" } });
  const camera = (expected: (place: string | undefined) => boolean): Promise<string | undefined> =>
    eventually(async () => (await tab.place()).camera, expected);
  const graph = tab.frame.getByRole("application", { name: "Model graph" });
  const { x, y, width, height } = (await graph.boundingBox())!;
  await tab.frame.locator(".gv canvas").first().waitFor();
  await tab.page.waitForTimeout(700);
  expect((await tab.place()).camera).toBeUndefined();
  await tab.page.mouse.move(x + width / 2, y + height - 20);
  await tab.page.mouse.wheel(0, -200);
  await tab.page.mouse.down();
  await tab.page.mouse.move(x + width / 2 - 80, y + height - 50, { steps: 4 });
  await tab.page.mouse.up();
  const moved = await camera((place) => place !== undefined);
  await tab.frame.getByRole("tab", { name: "Matrix" }).click();
  await tab.frame.locator(".mx-label").first().waitFor();
  await tab.frame.getByRole("tab", { name: "Graph" }).click();
  await tab.page.waitForTimeout(700);
  expect((await tab.place()).camera).toBe(moved);
  await tab.page.reload();
  await tab.frame.locator("main").waitFor();
  await tab.page.waitForTimeout(1500);
  expect((await tab.place()).camera).toBe(moved);
  await tab.frame.getByRole("button", { name: "Fit (F)" }).click();
  await camera((place) => place === undefined);
  await tab.close();
});

it("keeps what is folded whatever the names hold", async () => {
  const run = Object.keys(handover.runs).find((name) => name.includes("<img"))!;
  const tab = await Tab.open({ link: { run } });
  const scopes = tab.frame.locator("[role=row][aria-expanded]");
  await scopes.first().waitFor();
  const folded: string[] = [];
  for (let open = tab.frame.locator("[role=row][aria-expanded=true]"); (await open.count()) > 0;) {
    folded.push((await open.first().getAttribute("data-path"))!);
    await open.first().locator(".tw").click();
  }
  expect(folded.length).toBeGreaterThan(2);
  const closed = await scopes.count();
  await eventually(
    () => tab.place(),
    (place) => place.folds?.split(",").length === folded.length,
  );
  await tab.page.reload();
  await scopes.first().waitFor();
  expect(await scopes.count()).toBe(closed);
  expect(await tab.frame.locator("[role=row][aria-expanded=true]").count()).toBe(0);
  await tab.close();
});

it("shows all steps where a link zooms to none of this run", async () => {
  const tab = await Tab.open({ link: { run: "digits/train", node: "encoder/conv2d", zoom: "900000-990000" } });
  await eventually(
    () => tab.page.evaluate(() => location.hash),
    (hash) => !hash.includes("zoom="),
  );
  await tab.close();
});
