/* What axe-core can see of what opens, loads and fails; zoom, narrow and large windows; motion. */
import { afterAll, describe, expect, it } from "vitest";
import { address, quit, settled, Tab } from "./harness";
import type { TabOptions } from "./harness";

afterAll(quit);

const GRAPH: TabOptions = { link: { run: "digits/train", node: "encoder/conv2d", step: "448" } };
const MATRIX: TabOptions = { link: { run: "digits/train", node: "head/dense", step: "448", view: "matrix" } };

/** What a button opens, by the name of the button. */
const OPENED: Readonly<Record<string, TabOptions>> = {
  "Keys and help (?)": GRAPH,
  Columns: GRAPH,
  "Show in the graph": GRAPH,
  "Export the matrix": MATRIX,
  "Export and table": GRAPH,
  "Settings and export": GRAPH,
  "Compare and filter": { ...GRAPH, width: 480 },
  "More steps to go to": { ...GRAPH, width: 480 },
};

it.each(Object.keys(OPENED))("what opens under %s has nothing that axe-core objects to", async (button) => {
  const tab = await settled(OPENED[button]);
  await tab.frame.getByRole("button", { name: button }).first().click();
  await tab.frame.locator("dialog[open], .popover-body, [role=dialog]").first().waitFor();
  await tab.shoot(`opened-${button.replace(/\W+/g, "-")}`);
  // What is half covered while something is open is no target.
  expect(await tab.accessibilityProblems(["target-size"])).toEqual([]);
  await tab.page.keyboard.press("Escape");
  await tab.frame.locator("dialog[open], .popover-body, [role=dialog]").first().waitFor({ state: "detached" });
  await tab.close();
});

it("while it loads has nothing that axe-core objects to", async () => {
  const tab = await Tab.open({ server: "empty", expect: ".empty h1" });
  await tab.page.route(/tb_activations\/(graph|steps|snapshot|matrix|findings|statistics)/, () => undefined);
  await tab.page.goto(address({ link: { run: "digits/train", node: "image" } }));
  await tab.frame.locator(".no-rows").waitFor();
  // What isn't there yet is not said to be missing.
  const text = await tab.frame.locator(".page").innerText();
  expect(text).not.toMatch(/no capture yet|no findings|0 nodes|Choose a node/);
  await tab.shoot("loading");
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.close();
});

it("while the server is away, and where captures were lost, has nothing that axe-core objects to", async () => {
  const tab = await settled(GRAPH);
  await tab.frame.getByRole("button", { name: "3 dropped" }).click();
  await tab.frame.getByText("were dropped").waitFor();
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.page.route(/tb_activations\//, (route) => route.abort());
  await tab.frame.locator("b", { hasText: "TensorBoard doesn't answer." }).waitFor();
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.close(/ERR_FAILED/);
});

describe("motion", () => {
  /** Classes of what moves on the page while steps are played and numbers are late. */
  async function moving(motion: "reduce" | "no-preference"): Promise<string[]> {
    const tab = await settled({ ...GRAPH, motion });
    await tab.page.route(/tb_activations\/snapshot/, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      await route.continue();
    });
    const frame = await tab.inside();
    const seen = frame.evaluate(async () => {
      const found = new Set<string>();
      for (const end = performance.now() + 3000; performance.now() < end;) {
        await new Promise(requestAnimationFrame);
        for (const { effect } of document.getAnimations()) {
          found.add(String((effect as KeyframeEffect).target?.className));
        }
      }
      return [...found];
    });
    await tab.frame.getByRole("button", { name: /^Play/ }).click();
    const classes = await seen;
    await tab.page.unrouteAll({ behavior: "ignoreErrors" });
    await tab.close();
    return classes;
  }

  it("is there for late numbers alone, and not where the system asks for less", async () => {
    expect(await moving("no-preference")).toContain("num");
    expect(await moving("reduce")).toEqual([]);
  });
});

const SIZES: readonly (readonly [string, TabOptions])[] = [
  ["1280 × 720", { width: 1280, height: 720 }],
  ["3840 × 2160", { width: 3840, height: 2160 }],
  ["200 % zoom", { width: 1440, height: 900, zoom: 2 }],
  ["a notebook's narrow frame", { width: 700, height: 800 }],
  ["a phone's width", { width: 400, height: 800 }],
];

it.each(SIZES)("fits %s", async (name, size) => {
  const tab = await settled({ ...GRAPH, ...size });
  const outside = await (
    await tab.inside()
  ).evaluate(() => {
    const clipped = (element: Element): boolean => element.closest("[hidden], .sr, dialog") !== null;
    return [...document.querySelectorAll("button, select, input, [role=slider], [role=tab]")]
      .filter((element) => !clipped(element))
      .map((element) => ({
        box: element.getBoundingClientRect(),
        name: element.getAttribute("aria-label") ?? element.textContent,
      }))
      .filter(({ box }) => box.width > 0 && (box.right > innerWidth + 1 || box.left < -1))
      .map(({ box, name }) => `${name}: ${Math.round(box.left)} … ${Math.round(box.right)} of ${innerWidth}`);
  });
  await tab.shoot(`size-${name.replace(/\W+/g, "-")}`);
  expect(outside).toEqual([]);
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.close();
});
